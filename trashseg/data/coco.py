"""A COCO file as plain dictionaries, indexed; read only after everything in it has been checked.

pycocotools' own `COCO` class prints, loads faults silently and crashes on some
of them; these few lines and `coco_checks` take its place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trashseg.data.coco_checks import check_coco
from trashseg.data.findings import Finding, stop_at_errors
from trashseg.io import read_json, write_json

Row = dict[str, Any]

MAX_MEGAPIXELS = 64.0


@dataclass(frozen=True)
class Coco:
    """Images, annotations and categories of a checked COCO file, in its order. Ids are unique ints."""

    images: list[Row]
    annotations: list[Row]
    categories: list[Row]

    @cached_property
    def image_by_id(self) -> dict[int, Row]:
        """Images by id."""
        return {image["id"]: image for image in self.images}

    @cached_property
    def annotations_of(self) -> dict[int, list[Row]]:
        """Annotations by image id, in file order; every image has a list."""
        found: dict[int, list[Row]] = {image["id"]: [] for image in self.images}
        for annotation in self.annotations:
            found[annotation["image_id"]].append(annotation)
        return found

    def subset(self, image_ids: Iterable[int]) -> "Coco":
        """The images of these ids, in file order, and their annotations."""
        kept = set(image_ids)
        return Coco(
            [image for image in self.images if image["id"] in kept],
            [annotation for annotation in self.annotations if annotation["image_id"] in kept],
            self.categories,
        )


def read_coco(
    path: Path, max_megapixels: float = MAX_MEGAPIXELS, implicit_categories: Mapping[int, str] | None = None
) -> Coco:
    """A checked COCO file; its first error is an `InputError` that names file and id.

    `implicit_categories` (id -> name) are added where annotations use an id that the file does not list.
    """
    return read_with_warnings(path, max_megapixels, implicit_categories)[0]


def read_with_warnings(
    path: Path, max_megapixels: float = MAX_MEGAPIXELS, implicit_categories: Mapping[int, str] | None = None
) -> tuple[Coco, list[Finding]]:
    """As `read_coco`, and what is odd in the file though not wrong."""
    value = read_json(path)
    _list_implicit(value, implicit_categories or {})
    warnings = stop_at_errors(check_coco(value, path, max_megapixels))
    return Coco(value["images"], value.get("annotations", []), value["categories"]), warnings


def _list_implicit(value: Any, implicit: Mapping[int, str]) -> None:
    if not isinstance(value, dict) or not implicit:
        return
    annotations, categories = value.get("annotations"), value.get("categories")
    if not isinstance(annotations, list) or not isinstance(categories, list):
        return  # the checks will tell
    used = [row.get("category_id") for row in annotations if isinstance(row, dict)]
    listed = [row.get("id") for row in categories if isinstance(row, dict)]
    categories[:0] = [{"id": n, "name": name} for n, name in implicit.items() if n in used and n not in listed]


def load_coco(path: Path) -> Coco:
    """A COCO file that an earlier stage wrote and so has checked."""
    value = read_json(path)
    return Coco(value["images"], value["annotations"], value["categories"])


def write_coco(path: Path, coco: Coco, **extra: object) -> None:
    """Write a COCO file; `extra` are further top-level keys."""
    rows = {"images": coco.images, "annotations": coco.annotations, "categories": coco.categories}
    write_json(path, {**extra, **rows}, indent=None)
