"""Index masks back to COCO annotations: one per object, as exact RLE or as polygons with holes and parts.

An object is what hangs together (8-connected) of one class.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID, Classes
from trashseg.data.coco import Coco, Row
from trashseg.data.instance_map import instance_annotations
from trashseg.data.polygons import polygons_of
from trashseg.data.segmentation import mask_of, rle_of
from trashseg.errors import InputError
from trashseg.io import read_mask
from trashseg.parallel import parallel_map

Form = Literal["rle", "polygon"]


def objects_of(mask_HW: NDArray[np.uint8], whole_classes: bool = False) -> tuple[NDArray[np.int32], list[int]]:
    """Object numbers, objects_HW (0: none), and the class of objects 1..N; background and 255 have no objects.

    With `whole_classes` all pixels of a class are one object.
    """
    objects_HW = np.zeros(mask_HW.shape, np.int32)
    classes: list[int] = []
    for value in np.flatnonzero(np.bincount(mask_HW.ravel(), minlength=256)[:VOID]).tolist():
        if value == 0:
            continue
        inside = (mask_HW == value).astype(np.uint8)
        if whole_classes:
            count, labels_HW = 2, inside.astype(np.int32)
        else:
            count, found = cv2.connectedComponents(inside, connectivity=8)
            labels_HW = np.asarray(found, np.int32)
        np.add(objects_HW, labels_HW + len(classes), out=objects_HW, where=labels_HW > 0)
        classes += [value] * (count - 1)
    return objects_HW, classes


def annotations_of_mask(
    mask_HW: NDArray[np.uint8],
    form: Form = "rle",
    tolerance_px: float = 0.0,
    whole_classes: bool = False,
    min_area_px: int = 1,
) -> Iterator[Row]:
    """COCO annotations, without ids, of an index mask's objects; painted back they give the mask (RLE: exactly).

    Polygons with `tolerance_px` 0 are exact, too; above, their outlines move
    by at most that. Smaller objects than `min_area_px` are left out.
    """
    objects_HW, classes = objects_of(mask_HW, whole_classes)
    numbers = np.uint8 if len(classes) < 256 else np.uint16 if len(classes) < 2**16 else np.int32
    rows = instance_annotations(objects_HW.astype(numbers), np.array([0, *classes], np.uint8))
    for number, row in enumerate(rows, 1):
        if row["area"] >= min_area_px:
            if form == "polygon":
                box = [int(side) for side in row["bbox"]]
                row["segmentation"] = _polygons(objects_HW, number, box, tolerance_px)
            yield row


def _polygons(objects_HW: NDArray[np.int32], number: int, box: list[int], tolerance_px: float) -> list[list[float]]:
    """Polygons of one object, found within its box."""
    left, top, width, height = box
    crop = objects_HW[top : top + height, left : left + width]
    moved = []
    for polygon in polygons_of((crop == number).astype(np.uint8), tolerance_px):
        points = np.array(polygon).reshape(-1, 2) + np.array([left, top])
        moved.append([float(value) for value in points.ravel()])
    return moved


def worst_error(mask_HW: NDArray[np.uint8], annotations: Sequence[Row]) -> float:
    """Share of a mask's labelled pixels that annotations, painted back, get wrong."""
    painted = np.zeros_like(mask_HW)
    for row in sorted(annotations, key=lambda row: -float(row["area"])):
        painted[mask_of(rle_of(row["segmentation"], *mask_HW.shape)) == 1] = row["category_id"]
    truth = np.where(mask_HW == VOID, 0, mask_HW)
    return float((painted != truth).sum() / max(1, (truth != 0).sum()))


Converted = tuple[Row, list[Row], float]
"""Image row without id, its annotations without ids, the error of its polygons."""


def convert_one(
    named_path: tuple[Path, str],
    classes: int,
    form: Form,
    tolerance_px: float,
    whole_classes: bool,
    min_area_px: int,
) -> Converted:
    """Image and annotation rows of one mask file, given with its image's file name."""
    path, name = named_path
    mask_HW = read_mask(path)
    present = np.flatnonzero(np.bincount(mask_HW.ravel(), minlength=256))
    unknown = [int(value) for value in present if classes <= value < VOID]
    if unknown:
        raise InputError(f"{path}: holds class {unknown[0]}, expected 0 to {classes - 1}, or 255")
    rows = list(annotations_of_mask(mask_HW, form, tolerance_px, whole_classes, min_area_px))
    height, width = mask_HW.shape
    image = {"file_name": name, "width": width, "height": height}
    return image, rows, worst_error(mask_HW, rows) if form == "polygon" and tolerance_px > 0 else 0.0


def masks_to_coco(
    paths: Sequence[Path],
    names: Sequence[str],
    classes: Classes,
    main: Coco | None = None,
    form: Form = "rle",
    tolerance_px: float = 0.0,
    whole_classes: bool = False,
    min_area_px: int = 1,
    jobs: int = 1,
) -> tuple[Coco, float]:
    """Masks as COCO: a new file (`self`), or appended to `main` (`add`) with ids beyond its own.

    `names` are the images' file names, one per mask. Also gives the worst
    image's error (see `worst_error`; 0 where exact). In `main`, categories
    must carry the classes' names; its ids are used.
    """
    work = partial(
        convert_one,
        classes=len(classes),
        form=form,
        tolerance_px=tolerance_px,
        whole_classes=whole_classes,
        min_area_px=min_area_px,
    )
    converted = parallel_map(work, list(zip(paths, names, strict=True)), jobs, "masks to COCO")
    base = main or Coco([], [], [{"id": i, "name": n, "supercategory": n} for i, n in enumerate(classes.names) if i])
    category = _category_ids(base, classes)
    taken = {image["file_name"] for image in base.images}
    image_id = max((image["id"] for image in base.images), default=0)
    annotation_id = max((row["id"] for row in base.annotations), default=0)
    images, annotations = list(base.images), list(base.annotations)
    for path, (image, rows, _) in zip(paths, converted, strict=True):
        if image["file_name"] in taken:
            raise InputError(f"{path}: an image {image['file_name']!r} is there already")
        taken.add(image["file_name"])
        image_id += 1
        images.append({"id": image_id, **image})
        for row in rows:
            annotation_id += 1
            own = {**row, "category_id": category[row["category_id"]]}
            annotations.append({"id": annotation_id, "image_id": image_id, **own})
    return Coco(images, annotations, base.categories), max((error for *_, error in converted), default=0.0)


def _category_ids(base: Coco, classes: Classes) -> dict[int, int]:
    """Class index -> category id of the base file, by name."""
    ids = {row["name"]: row["id"] for row in base.categories}
    missing = [name for name in classes.names[1:] if name not in ids]
    if missing:
        raise InputError(f"category {missing[0]!r} is missing in the main file; found {', '.join(ids)}")
    return {index: ids[name] for index, name in enumerate(classes.names) if index}
