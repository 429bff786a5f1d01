"""One checked dataset out of a folder of COCO files: what every later stage reads.

Category ids become class indices 1..C-1 in the order of the ids; categories
named as ignored become `ignored_annotations`, which masks paint as 255 and no
other stage sees. Ids of test images that a labelled image has, too, are moved
up. Images keep their names and are copied, as clones where the file system can:
DVC turns links in an output into copies, and a `cache.type` of hardlink would
make the user's own files read-only (docs/decisions/images-copied.md).
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from trashseg.classes import Classes, named, write_classes
from trashseg.data.coco import Coco, Row, read_coco, read_with_warnings, write_coco
from trashseg.data.groups import grouped, look_at_all, with_groups
from trashseg.data.image_files import Look
from trashseg.data.pool import FOLDER, new_ones, pool_rows, read_pool
from trashseg.data.segmentation import area_of, bbox_of, rle_of
from trashseg.errors import InputError, nearest
from trashseg.io import write_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BACKGROUND = "Background"
FICLONE = 0x40049409
"""Linux's request to clone a file."""


def assemble(
    root: Path,
    out: Path,
    train_json: str,
    test_json: str | None,
    test_labels_json: str | None,
    group_key: str | None = None,
    ignore_categories: Sequence[str] = (),
    merge_categories: Mapping[str, str] | None = None,
    implicit_categories: Mapping[int, str] | None = None,
    near_duplicate_bits: int = 48,
    max_megapixels: float = 64.0,
    images: Literal["copy", "symlink"] = "copy",
    jobs: int = 0,
    unlabelled: Path | None = None,
) -> tuple[Coco, list[Row]] | None:
    """Write `train_all.json`, `test.json`, `unlabelled.json`, `classes.json`, `images/`, `report.json` to `out`.

    Gives the test labels. Files but `unlabelled` are relative to `root`; images lie beside the JSON that names them,
    or in `images/` there. `implicit_categories` are ids that annotations may
    use though the file does not list them. Any fault that would make a label
    or a pixel wrong is an `InputError`. The test labels come with their ignored
    annotations; None where they are not known.
    """
    train, oddities = read_with_warnings(root / train_json, max_megapixels, implicit_categories)
    test = (
        read_coco(root / test_json, max_megapixels, implicit_categories)
        if test_json
        else Coco([], [], train.categories)
    )
    if not train.images:
        raise InputError(f"{root / train_json}: holds no images, expected labelled images")
    labels = read_coco(root / test_labels_json, max_megapixels, implicit_categories) if test_labels_json else None
    classes, class_of = classes_of(train.categories, root / train_json, ignore_categories, merge_categories or {})
    train, test, labels = _apart(train, test, labels, root / (test_labels_json or ""))
    folder = images_folder(root, train, root / train_json)
    looks = look_at_all(folder, root / train_json, train.images, max_megapixels, jobs)
    looks += look_at_all(folder, root / (test_json or train_json), test.images, max_megapixels, jobs)
    groups, pairs = grouped([*train.images, *test.images], looks, group_key, root / train_json, near_duplicate_bits)
    for image in [*train.images, *test.images]:
        place_image(folder / image["file_name"], out / "images" / image["file_name"], images)
    rows = category_rows(classes)
    kept, ignored = mapped(train, class_of)
    write_coco(out / "train_all.json", Coco(with_groups(train.images, groups), kept, rows), ignored_annotations=ignored)
    write_coco(out / "test.json", Coco(with_groups(test.images, groups), [], rows))
    write_classes(out / "classes.json", classes)
    pool, left_out = _place_pool(
        unlabelled, out, [*train.images, *test.images], looks,
        near_duplicate_bits, max_megapixels, images, jobs,
    )  # fmt: skip
    write_coco(out / "unlabelled.json", Coco(pool, [], rows))
    warnings = [finding.row() for finding in [*oddities, *(found for look in looks for found in look.findings)]]
    told = _report(train, test, classes, kept, ignored, pairs, warnings)
    write_json(out / "report.json", {**told, "unlabelled_images": len(pool), "unlabelled_left_out": left_out})
    if labels is None:
        return None
    by_name = _by_name(
        labels.categories, classes, root / str(test_labels_json), ignore_categories, merge_categories or {}
    )
    true, unscored = mapped(labels, by_name)
    return Coco(with_groups(labels.images, groups), true, rows), unscored


def _place_pool(
    source: Path | None, out: Path, rows: Sequence[Row], looks: Sequence[Look], max_bits: int, max_megapixels: float,
    images: Literal["copy", "symlink"], jobs: int,
) -> tuple[list[Row], list[str]]:  # fmt: skip
    """(rows of the pool's photos, now in the dataset; names of those left out as twins of others)."""
    if source is None:
        return [], []
    folder, found = read_pool(source, max_megapixels)
    keep = new_ones(look_at_all(folder, source, found, max_megapixels, jobs), looks, max_bits)
    pool = pool_rows(found, keep, max(row["id"] for row in rows) + 1)
    for row in pool:
        place_image(folder / Path(row["file_name"]).relative_to(FOLDER), out / "images" / row["file_name"], images)
    return pool, [row["file_name"] for row, kept in zip(found, keep, strict=True) if not kept]


def classes_of(
    categories: list[Row], path: Path, ignored: Sequence[str], merged: Mapping[str, str] | None = None
) -> tuple[Classes, dict[int, int | None]]:
    """The classes of a file's categories, and category id -> class index (None: ignored).

    Categories named as `merged` count as the one they are merged into.
    """
    ordered = sorted(categories, key=lambda row: int(row["id"]))
    listed = {row["name"] for row in ordered}
    for name, target in (merged or {}).items():
        if name in listed and target not in listed:
            raise InputError(f"{path}: category {name!r} cannot become {target!r}{nearest(target, listed)}")
    skipped = {name.casefold() for name in ignored} - {name.casefold() for name in merged or {}}
    own = [row["name"] for row in ordered if row["name"] not in (merged or {}) and row["name"] != BACKGROUND]
    kept = [name for name in own if name.casefold() not in skipped]
    if not kept or len(kept) > 254:
        raise InputError(f"{path}: holds {len(kept)} categories besides the ignored, expected 1 to 254")
    classes = named((BACKGROUND, *kept))
    return classes, class_ids(ordered, classes, merged or {})


def class_ids(categories: list[Row], classes: Classes, merged: Mapping[str, str]) -> dict[int, int | None]:
    """Category id -> index of the class of that name; None where there is none."""
    names = {row["id"]: merged.get(row["name"], row["name"]) for row in categories}
    return {number: classes.names.index(name) if name in classes.names else None for number, name in names.items()}


def _by_name(
    categories: list[Row], classes: Classes, path: Path, ignored: Sequence[str], merged: Mapping[str, str]
) -> dict[int, int | None]:
    """Category id -> class index by name: the true labels' file may number its categories otherwise."""
    skipped = {name.casefold() for name in ignored}
    for row in categories:
        name = merged.get(row["name"], row["name"])
        if name.casefold() not in skipped and name not in classes.names:
            hint = nearest(name, classes.names)
            raise InputError(f"{path}: category {name!r} is no class of the labelled images{hint}")
    return class_ids(categories, classes, merged)


def mapped(coco: Coco, class_of: dict[int, int | None]) -> tuple[list[Row], list[Row]]:
    """Annotations with class indices for category ids, and those of ignored categories; area, bbox, iscrowd filled."""
    kept, ignored = [], []
    for annotation in coco.annotations:
        image = coco.image_by_id[annotation["image_id"]]
        row = {"iscrowd": 0, **annotation}
        if "area" not in row or "bbox" not in row:
            rle = rle_of(row["segmentation"], image["height"], image["width"])
            row = {"area": area_of(rle), "bbox": bbox_of(rle), **row}
        index = class_of[row["category_id"]]
        if index is None:
            ignored.append(row)
        else:
            kept.append({**row, "category_id": index})
    return kept, ignored


def category_rows(classes: Classes) -> list[Row]:
    """COCO categories of classes 1..C-1."""
    return [{"id": n, "name": name, "supercategory": name} for n, name in enumerate(classes.names) if n]


def _apart(train: Coco, test: Coco, labels: Coco | None, path: Path) -> tuple[Coco, Coco, Coco | None]:
    """Test ids that no labelled image has: where any is taken, all move up (files count from 0 on their own)."""
    if labels is not None and labels.image_by_id.keys() != test.image_by_id.keys():
        raise InputError(f"{path}: its {len(labels.images)} images are not the {len(test.images)} test images, by id")
    if not train.image_by_id.keys() & test.image_by_id.keys():
        return train, test, labels
    offset = max(train.image_by_id) + 1

    def moved(coco: Coco) -> Coco:
        images = [{**row, "id": row["id"] + offset, "source_id": row["id"]} for row in coco.images]
        annotations = [{**row, "image_id": row["image_id"] + offset} for row in coco.annotations]
        return Coco(images, annotations, coco.categories)

    return train, moved(test), None if labels is None else moved(labels)


def images_folder(root: Path, coco: Coco, path: Path) -> Path:
    """Where file names lead from: the dataset's folder, or `images/` in it."""
    name = coco.images[0]["file_name"]
    for folder in (root, root / "images", path.parent):
        if (folder / name).is_file():
            return folder
    raise InputError(f"{path}: image {coco.images[0]['id']}: no file {name!r} in {root} or {root / 'images'}")


def place_image(source: Path, target: Path, how: Literal["copy", "symlink"]) -> None:
    """Put an image into the dataset: a copy that shares its blocks where the file system can, or a symlink."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if how == "symlink":
        target.symlink_to(os.path.relpath(source.resolve(), target.parent.resolve()))
    elif not _reflinked(source, target):
        shutil.copyfile(source, target)


def _reflinked(source: Path, target: Path) -> bool:
    """A copy-on-write clone (btrfs, xfs); False where the file system cannot."""
    if fcntl is None:
        return False
    try:
        with source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
        return True
    except OSError:
        return False


def _report(
    train: Coco,
    test: Coco,
    classes: Classes,
    kept: list[Row],
    ignored: list[Row],
    pairs: list[tuple[int, int, int]],
    warnings: list[Any],
) -> dict[str, Any]:
    labelled = train.image_by_id
    counts = {name: sum(row["category_id"] == n for row in kept) for n, name in enumerate(classes.names) if n}
    return {
        "labelled_images": len(train.images),
        "test_images": len(test.images),
        "annotations": counts,
        "ignored_annotations": len(ignored),
        "images_without_annotation": sum(not rows for rows in train.annotations_of.values()),
        "near_duplicates": [{"images": [a, b], "bits": bits} for a, b, bits in pairs],
        "near_duplicates_across_test": sum((a in labelled) != (b in labelled) for a, b, _ in pairs),
        "warnings": warnings,
    }
