"""Everything that can be wrong inside a COCO file, found without touching an image file.

Checks go on after a fault, so that a user sees all of them at once, but a fault
hides what depends on it: an annotation of an unknown image is not rasterised.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from trashseg.data.findings import Finding, Severity
from trashseg.data.segmentation import area_of, rle_of

MAX_SIDE_PX = 65_535
MAX_AREA_MISMATCH = 0.5
"""Share of a mask's pixels by which its `area` may be off before a warning."""


def check_coco(value: object, path: Path, max_megapixels: float) -> Iterator[Finding]:
    """Findings of a COCO file's content, in the file's order."""
    yield from _Checker(str(path), max_megapixels).file(value)


@dataclass(frozen=True)
class SoundRows:
    """The rows of a COCO file that have no error; annotations only of sound images, their missing areas filled in."""

    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: list[dict[str, Any]]


def check_and_keep(value: object, path: Path, max_megapixels: float) -> tuple[list[Finding], SoundRows]:
    """Findings, and what can be worked with in spite of them."""
    check = _Checker(str(path), max_megapixels)
    findings = list(check.file(value))
    return findings, SoundRows(check.images, check.annotations, check.category_names)


class _Checker:
    """The file being checked and what is known of it so far."""

    def __init__(self, where: str, max_megapixels: float) -> None:
        self.where = where
        self.max_megapixels = max_megapixels
        self.sizes: dict[int, tuple[int, int]] = {}
        self.categories: set[int] = set()
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.pixels: dict[int, int] = {}
        self.category_names: list[dict[str, Any]] = []

    def found(
        self, kind: str, subject: str, message: str, severity: Severity = "error", amount: float = 0.0
    ) -> Finding:
        return Finding(severity, kind, self.where, subject, message, amount)

    def file(self, value: object) -> Iterator[Finding]:
        if not isinstance(value, dict):
            yield self.found("not-coco", "", f"expected COCO {{images, annotations, categories}}, found {_kind(value)}")
            return
        checks = {"images": self.image_rows, "categories": self.category_rows, "annotations": self.annotation_rows}
        for key in checks:
            rows = value.get(key, [] if key == "annotations" else None)
            if not isinstance(rows, list):
                yield self.found("not-coco", "", f"expected a list under {key!r}, found {_kind(rows)}")
            elif not all(isinstance(row, dict) for row in rows):
                yield self.found("not-coco", "", f"expected objects in {key!r}")
            else:
                yield from checks[key](rows)

    def image_rows(self, rows: list[dict[str, Any]]) -> Iterator[Finding]:
        names: dict[str, object] = {}
        if not rows:
            yield self.found("no-images", "", "holds no images", "warning")
        for position, row in enumerate(rows):
            faults = list(self._image(row, f"image {_name(row, position)}", names))
            yield from faults
            if not faults:
                self.sizes[row["id"]] = row["height"], row["width"]
                self.images.append(row)

    def _image(self, row: dict[str, Any], subject: str, names: dict[str, object]) -> Iterator[Finding]:
        yield from self._id(row, subject, self.sizes)
        yield from self._file_name(row, subject, names)
        size = row.get("height"), row.get("width")
        if not all(type(side) is int and 1 <= side <= MAX_SIDE_PX for side in size):
            text = f"height and width are {_short(size)}, expected 1 to {MAX_SIDE_PX} px"
            yield self.found("bad-size", subject, text)
        elif row["height"] * row["width"] > self.max_megapixels * 1e6:
            text = f"{row['width']} x {row['height']} px are more than {self.max_megapixels:g} megapixels"
            yield self.found("too-large", subject, f"{text} (data.max_megapixels)")

    def _id(self, row: dict[str, Any], subject: str, known: Any) -> Iterator[Finding]:
        number = row.get("id")
        if type(number) is not int or not 0 <= number < 2**53:
            yield self.found("bad-id", subject, f"id is {_short(number)}, expected a whole number >= 0")
        elif number in known:
            yield self.found("duplicate-id", subject, "its id is used twice")

    def _file_name(self, row: dict[str, Any], subject: str, names: dict[str, object]) -> Iterator[Finding]:
        name = row.get("file_name")
        if not isinstance(name, str) or not name or len(name) > 1000:
            yield self.found("bad-file-name", subject, f"file_name is {str(name)[:60]!r}, expected a relative path")
            return
        path = PurePosixPath(name.replace("\\", "/"))
        drive = len(name) > 1 and name[1] == ":"
        if path.is_absolute() or drive or ".." in path.parts or not name.isprintable():
            yield self.found("path-escape", subject, f"file_name {name!r} leads out of the images' folder")
        elif str(path) in names:
            yield self.found("duplicate-file", subject, f"file_name {name!r} is image {names[str(path)]}'s, too")
        names[str(path)] = row.get("id")

    def category_rows(self, rows: list[dict[str, Any]]) -> Iterator[Finding]:
        names: set[str] = set()
        if not rows:
            yield self.found("no-categories", "", "holds no categories")
        for position, row in enumerate(rows):
            subject = f"category {_name(row, position)}"
            yield from self._id(row, subject, self.categories)
            name = row.get("name")
            if not isinstance(name, str) or not name.strip():
                yield self.found("bad-name", subject, f"name is {_short(name)}, expected text")
            elif name in names:
                yield self.found("duplicate-name", subject, f"name {name!r} is used twice")
            else:
                names.add(name)
            if type(row.get("id")) is int:
                self.categories.add(row["id"])
                self.category_names.append({"id": row["id"], "name": str(name)})

    def annotation_rows(self, rows: list[dict[str, Any]]) -> Iterator[Finding]:
        known: set[int] = set()
        for position, row in enumerate(rows):
            faults = list(self._annotation(row, f"annotation {_name(row, position)}", known))
            yield from faults
            if not any(fault.severity == "error" for fault in faults):
                self.annotations.append({"area": self.pixels[row["id"]], **row})

    def _annotation(self, row: dict[str, Any], subject: str, known: set[int]) -> Iterator[Finding]:
        yield from self._id(row, subject, known)
        if type(row.get("id")) is int:
            known.add(row["id"])
        category, image = row.get("category_id"), row.get("image_id")
        if type(category) is not int or category not in self.categories:
            yield self.found("unknown-category", subject, f"category_id {_short(category)} is no category of the file")
        if row.get("iscrowd", 0) not in (0, 1):
            yield self.found("bad-crowd", subject, f"iscrowd is {_short(row['iscrowd'])}, expected 0 or 1")
        if type(image) is not int or image not in self.sizes:
            yield self.found("unknown-image", subject, f"image_id {_short(image)} is no (sound) image of the file")
        else:
            yield from self._segmentation(row, f"{subject} of image {image}", *self.sizes[image])

    def _segmentation(self, row: dict[str, Any], subject: str, height: int, width: int) -> Iterator[Finding]:
        try:
            pixels = area_of(rle_of(row.get("segmentation"), height, width))
        except ValueError as error:
            yield self.found("bad-segmentation", subject, str(error))
            return
        if type(row.get("id")) is int:
            self.pixels[row["id"]] = pixels
        area = row.get("area", pixels)
        if type(area) not in (int, float) or not math.isfinite(area) or area < 0:
            yield self.found("bad-area", subject, f"area is {_short(area)}, expected px >= 0")
        elif pixels == 0:
            yield self.found("empty", subject, "covers no pixel", "warning")
        elif abs(area - pixels) > MAX_AREA_MISMATCH * max(pixels, 20):
            message = f"area is {area:g}, its mask has {pixels} px"
            yield self.found("area-mismatch", subject, message, "warning", abs(area - pixels) / max(pixels, 20))
        if outside := _outside(row["segmentation"], height, width):
            message = f"a polygon reaches {outside:.1f} px out of the image"
            yield self.found("outside", subject, message, "warning", outside)


def _outside(segmentation: object, height: int, width: int) -> float:
    """How far polygons reach beyond the image, in px; 0 if at most one."""
    if not isinstance(segmentation, list):
        return 0.0
    x = [number for polygon in segmentation for number in polygon[::2]]
    y = [number for polygon in segmentation for number in polygon[1::2]]
    reach = max(-min(x), max(x) - width, -min(y), max(y) - height)
    return float(reach) if reach > 1 else 0.0


def _name(row: dict[str, Any], position: int) -> str:
    return _short(row["id"]) if "id" in row else f"at position {position}"


def _short(value: object) -> str:
    """A hostile value is shown, but not in full."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of more than 4,300 digits
        return f"a huge {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
