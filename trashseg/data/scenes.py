"""A labelled image with its objects told apart: where it lies on disk, and in memory."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.data.byte_cache import ByteCache
from trashseg.data.instance_map import match_mask, paint_instances
from trashseg.data.instances import InstanceMap, count, empty_map, look_up
from trashseg.data.masks import paint
from trashseg.errors import InputError
from trashseg.io import read_image, read_mask
from trashseg.paths import mask_name


@dataclass(frozen=True)
class SceneFile:
    """A labelled image on disk. Without a `mask` its labels are painted from the annotations."""

    image_id: int
    image: Path
    mask: Path | None
    height: int
    width: int
    annotations: tuple[dict[str, Any], ...]
    ignored: tuple[dict[str, Any], ...] = ()

    @cached_property
    def key(self) -> Hashable:
        """What tells this labelled image from any other, for caches."""
        objects = tuple((a.get("id"), a["category_id"], a.get("area")) for a in self.annotations)
        return self.image.absolute(), self.mask and self.mask.absolute(), objects


@dataclass(frozen=True)
class Scene:
    """A labelled image in memory.

    image_HWC: uint8, r, g, b; mask_HW: uint8 class index or 255; instances_HW: 0 for none;
    classes_I: uint8, the class of each instance, 0 for "none".
    """

    image_HWC: NDArray[np.uint8]
    mask_HW: NDArray[np.uint8]
    instances_HW: InstanceMap
    classes_I: NDArray[np.uint8]

    @cached_property
    def areas_I(self) -> NDArray[np.int64]:
        """Pixels of each instance, (I + 1,)."""
        return count(self.instances_HW, len(self.classes_I) - 1)


def scene_files(coco: Mapping[str, Any], images: Path, masks: Path | None) -> list[SceneFile]:
    """The images of a checked COCO document, in its order."""
    annotations, ignored = (_by_image(coco.get(key, [])) for key in ("annotations", "ignored_annotations"))
    return [
        SceneFile(
            image_id=row["id"],
            image=images / row["file_name"],
            mask=None if masks is None else masks / mask_name(row["id"]),
            height=row["height"],
            width=row["width"],
            annotations=tuple(annotations[row["id"]]),
            ignored=tuple(ignored[row["id"]]),
        )
        for row in coco["images"]
    ]


def _by_image(annotations: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        found[annotation["image_id"]].append(annotation)
    return found


Labels = tuple[NDArray[np.uint8], InstanceMap, NDArray[np.uint8], NDArray[np.int64]]
"""mask_HW, instances_HW, classes_I, areas_I."""

LABELS: ByteCache[Labels] = ByteCache(192 << 20)
"""Labels of this process: an image is pasted onto several times, but painted once."""

IMAGES: ByteCache[NDArray[np.uint8]] = ByteCache(64 << 20)
"""Decoded images of this process: few, for what is pasted onto the same image comes in a row."""


def load_scene(file: SceneFile) -> Scene:
    """Read an image and tell its objects apart; sizes that differ are an `InputError`. Its arrays are read-only."""
    image_HWC = IMAGES.get(file.image.absolute(), lambda: load_image(file), lambda image: image.nbytes)
    *labels, areas_I = LABELS.get(file.key, lambda: load_labels(file), lambda labels: 2 * labels[0].nbytes)
    scene = Scene(image_HWC, *labels)
    scene.__dict__["areas_I"] = areas_I  # counted once, like the labels
    return scene


def load_image(file: SceneFile) -> NDArray[np.uint8]:
    """The image of the size its row says; read-only, for it is shared."""
    image_HWC = read_image(file.image)
    size = image_HWC.shape[:2]
    if size != (file.height, file.width):
        raise InputError(f"{file.image}: found {size[1]}x{size[0]} pixels, expected {file.width}x{file.height}")
    image_HWC.setflags(write=False)
    return image_HWC


def load_labels(file: SceneFile) -> Labels:
    """The mask and the instance map that agrees with it; read-only, for they are shared."""
    size = file.height, file.width
    instances_HW, classes_I = paint_instances(file.annotations, *size)
    if file.mask is None and not file.ignored:
        mask_HW = look_up(classes_I, instances_HW)
    else:
        mask_HW = paint(file.annotations, file.ignored, *size) if file.mask is None else read_mask(file.mask)
        if mask_HW.shape != size:
            raise InputError(
                f"{file.mask}: found {mask_HW.shape[1]}x{mask_HW.shape[0]} pixels, expected {size[1]}x{size[0]}"
            )
        instances_HW, classes_I = match_mask(instances_HW, classes_I, mask_HW)
    areas_I = count(instances_HW, len(classes_I) - 1)
    for shared in (mask_HW, instances_HW, classes_I, areas_I):
        shared.setflags(write=False)
    return mask_HW, instances_HW, classes_I, areas_I


def blank_scene(height: int, width: int, classes_I: NDArray[np.uint8]) -> Scene:
    """A grey image whose pixels are all ignored."""
    return Scene(
        np.full((height, width, 3), 127, np.uint8),
        np.full((height, width), VOID, np.uint8),
        empty_map(height, width, len(classes_I) - 1),
        classes_I,
    )
