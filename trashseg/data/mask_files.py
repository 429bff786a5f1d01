"""A folder of masks from a COCO file: one palette PNG per image, and a report."""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID, Classes
from trashseg.data.coco import Coco, Row
from trashseg.data.masks import Canvas, repair_seams
from trashseg.errors import InputError
from trashseg.io import encode_mask, read_json, write_json
from trashseg.parallel import parallel_map
from trashseg.paths import mask_name

REPORT = "report.json"

Work = tuple[Row, list[Row], list[Row], str]
"""An image, its annotations, its ignored annotations, the mask's file name."""


def write_masks(
    coco: Coco,
    ignored: Coco,
    names: Sequence[str],
    out: Path,
    classes: Classes,
    seam_repair: bool,
    crowd: Literal["paint", "ignore"],
    jobs: int,
) -> dict[str, Any]:
    """Write a mask for each image of a checked COCO, and `report.json`, as a whole folder; gives the report.

    `ignored` has the same images and the annotations to become 255; `names`
    are the masks' file names below `out`, one per image.
    """
    rows = zip(coco.images, names, strict=True)
    items = [(row, coco.annotations_of[row["id"]], ignored.annotations_of[row["id"]], name) for row, name in rows]
    report: dict[str, Any] = {}

    def fill(folder: Path) -> None:
        for parent in {(folder / name).parent for name in names}:
            parent.mkdir(parents=True, exist_ok=True)
        work = partial(write_one, folder=folder, classes=classes, seam_repair=seam_repair, crowd=crowd)
        report.update(_summary(parallel_map(work, items, jobs, "painting masks"), classes))
        write_json(folder / REPORT, report)

    replace_folder(out, fill)
    return report


def read_for_masks(path: Path) -> tuple[Coco, Coco]:
    """The dataset stage's labelled images with their annotations, and with those to be ignored."""
    value = read_json(path)
    ignored = value.get("ignored_annotations", [])
    return Coco(value["images"], value["annotations"], value["categories"]), Coco(value["images"], ignored, [])


def replace_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """`out` as `fill` makes it: filled under a temporary name beside it, then renamed."""
    work = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        fill(work)
        shutil.rmtree(out, ignore_errors=True)
        work.replace(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def refuse_foreign(out: Path) -> None:
    """An `InputError` if `out` holds something, but no masks of ours: it would be replaced."""
    if out.exists() and not (out.is_dir() and ((out / REPORT).is_file() or not any(out.iterdir()))):
        raise InputError(f"{out}: holds other files, expected a new folder, or one with masks and {REPORT}")


def write_one(
    item: Work, folder: Path, classes: Classes, seam_repair: bool, crowd: Literal["paint", "ignore"]
) -> dict[str, Any]:
    """Paint and write one mask; its row of the report: pixels per class, ignored and mended pixels."""
    image, annotations, ignored, name = item
    mask_HW = canvas_of(image["height"], image["width"]).paint(annotations, ignored, crowd)
    mended = 0
    if seam_repair:
        mask_HW, mended = repair_seams(mask_HW, len(classes))
    content = encode_mask(mask_HW, palette_of(classes))
    with open(f"{folder}/{name}", "wb", buffering=0) as file:  # noqa: PTH123 (a Path costs more than the write)
        file.write(content)  # the folder becomes visible as a whole
    counts = class_pixels(mask_HW, {VOID, *(row["category_id"] for row in annotations)})
    return {
        "image_id": image["id"],
        "pixels": counts[: len(classes)].tolist(),
        "ignored_px": int(counts[VOID]),
        "seam_repaired_px": mended,
    }


@lru_cache(maxsize=1)
def canvas_of(height: int, width: int) -> Canvas:
    """The process's own canvas, for as long as images keep their size."""
    return Canvas(height, width)


@lru_cache(maxsize=4)
def palette_of(classes: Classes) -> NDArray[np.uint8]:
    """A palette is made once, not for each mask."""
    return classes.palette()


def class_pixels(mask_HW: NDArray[np.uint8], painted: Iterable[int]) -> NDArray[np.int64]:
    """How often each of 0..255 occurs, where all but background is `painted`: counted for those few values alone."""
    counts = np.zeros(256, np.int64)
    for value in {*painted} - {0}:
        counts[value] = np.count_nonzero(mask_HW == value)
    counts[0] = mask_HW.size - counts.sum()
    return counts


def _summary(rows: list[dict[str, Any]], classes: Classes) -> dict[str, Any]:
    pixels = np.sum([row["pixels"] for row in rows], axis=0, dtype=np.int64)
    return {
        "classes": list(classes.names),
        "pixels": pixels.tolist(),
        "ignored_px": sum(row["ignored_px"] for row in rows),
        "seam_repaired_px": sum(row["seam_repaired_px"] for row in rows),
        "images": rows,
    }


def mask_names(coco: Coco, path: Path, name_by: Literal["file", "id"]) -> list[str]:
    """A mask file name for each image: by id, or like the image's own with .png."""
    if name_by == "id":
        return [mask_name(image["id"]) for image in coco.images]
    names: dict[str, int] = {}
    for image in coco.images:
        name = str(PurePosixPath(image["file_name"].replace("\\", "/")).with_suffix(".png"))
        if name in names:
            raise InputError(f"{path}: images {names[name]} and {image['id']} would both be {name}; name masks by id")
        names[name] = image["id"]
    return list(names)


def find_masks(folder: Path) -> list[Path]:
    """The PNG files below a folder, sorted."""
    paths = sorted(path for path in folder.rglob("*.png") if path.is_file()) if folder.is_dir() else []
    if not paths:
        raise InputError(f"{folder}: no .png masks found")
    return paths


def image_names(paths: Sequence[Path], folder: Path, images: Path | None) -> list[str]:
    """The image file name of each mask: that of the same name and another suffix in `images`, or the mask's own."""
    if images is None:
        return [path.relative_to(folder).as_posix() for path in paths]
    photos = {
        path.relative_to(images).with_suffix("").as_posix(): path.relative_to(images).as_posix()
        for path in sorted(images.rglob("*"))
        if path.is_file()
    }
    names = []
    for path in paths:
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem not in photos:
            raise InputError(f"{path}: no photo {stem}.* in {images}")
        names.append(photos[stem])
    return names
