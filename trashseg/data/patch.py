"""Patches: objects cut out of an image with a little of what surrounds them, and what may be done to them.

A patch is the bounding box of its objects, not a whole image: scaling,
turning and pasting cost what the objects cost.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.data.geometry import flip, resize, turn
from trashseg.data.instances import InstanceMap, count, kept, look_up
from trashseg.data.scenes import Scene

MARGIN = 6
"""Pixels kept around the objects, for soft edges and scaling."""


@dataclass(frozen=True)
class Patch:
    """Objects to paste.

    image_HWC: uint8 crop; instances_HW: 0 where nothing is pasted; classes_I: uint8, the class of each
    instance; centre: y and x of the crop's middle in its source, as fractions of the source's sides.
    """

    image_HWC: NDArray[np.uint8]
    instances_HW: InstanceMap
    classes_I: NDArray[np.uint8]
    centre: tuple[float, float]

    @cached_property
    def area_px(self) -> int:
        """Pixels that would be pasted."""
        return cv2.countNonZero(self.instances_HW)

    @property
    def size_bytes(self) -> int:
        """Memory that the pixels take, at half size too."""
        return self.image_HWC.nbytes * 5 // 4 + self.instances_HW.nbytes

    @cached_property
    def half_HWC(self) -> NDArray[np.uint8]:
        """The crop at half size; made once, for most variations shrink it."""
        height, width = self.instances_HW.shape
        return resize(self.image_HWC, max(1, height // 2), max(1, width // 2), cv2.INTER_AREA)

    def classes(self) -> set[int]:
        """The classes of the objects in it."""
        return set(self.classes_I[self.areas_I() > 0].tolist()) - {0}

    def areas_I(self) -> NDArray[np.int64]:
        """Pixels of each instance, (I + 1,)."""
        return count(self.instances_HW, len(self.classes_I) - 1)


def cut(scene: Scene, classes: Collection[int] | None = None, instance: int | None = None) -> Patch | None:
    """The objects of `classes` (all by default), or one `instance`; None where there is no such pixel."""
    keep_I = np.isin(scene.classes_I, list(classes)) if classes is not None else np.ones(len(scene.classes_I), bool)
    if instance is not None:
        keep_I &= np.arange(len(keep_I)) == instance
    keep_I[0] = False
    kept_HW = look_up(keep_I.view(np.uint8), scene.instances_HW)
    x, y, w, h = cv2.boundingRect(kept_HW)
    if w == 0:
        return None
    height, width = kept_HW.shape
    box = np.s_[max(y - MARGIN, 0) : y + h + MARGIN, max(x - MARGIN, 0) : x + w + MARGIN]
    instances_HW = kept(scene.instances_HW[box], keep_I)
    centre = (box[0].start + len(instances_HW) / 2) / height, (box[1].start + instances_HW.shape[1] / 2) / width
    return Patch(scene.image_HWC[box].copy(), instances_HW, scene.classes_I, centre)


def scaled(patch: Patch, scale: float, most: tuple[int, int]) -> Patch:
    """The patch at `scale`; sides are at least 1 pixel, and what exceeds `most` (height, width) is cut off evenly."""
    height, width = patch.instances_HW.shape
    keep = min(height, ceil(most[0] / scale)), min(width, ceil(most[1] / scale))
    y, x = (height - keep[0]) // 2, (width - keep[1]) // 2
    box = np.s_[y : y + keep[0], x : x + keep[1]]
    size = min(most[0], max(1, round(keep[0] * scale))), min(most[1], max(1, round(keep[1] * scale)))
    whole = keep == (height, width)
    image_HWC = patch.half_HWC if whole and scale <= 0.5 else patch.image_HWC[box]
    return replace(
        patch,
        image_HWC=_smoothly(image_HWC, *size),
        instances_HW=resize(patch.instances_HW[box], *size, cv2.INTER_NEAREST),
    )


def _smoothly(image_HWC: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Scaled without aliasing: halved while too large, then linearly."""
    while image_HWC.shape[0] >= 2 * height and image_HWC.shape[1] >= 2 * width:
        image_HWC = resize(image_HWC, image_HWC.shape[0] // 2, image_HWC.shape[1] // 2, cv2.INTER_AREA)
    if image_HWC.shape[:2] == (height, width):
        return image_HWC
    return resize(image_HWC, height, width, cv2.INTER_LINEAR)


def flipped(patch: Patch, axis: int) -> Patch:
    """The patch mirrored, left to right (`axis` 1) or top to bottom (0)."""
    centre = list(patch.centre)
    centre[axis] = 1 - centre[axis]
    return replace(
        patch,
        image_HWC=flip(patch.image_HWC, axis),
        instances_HW=flip(patch.instances_HW, axis),
        centre=(centre[0], centre[1]),
    )


def turned(patch: Patch, quarters: int) -> Patch:
    """The patch turned clockwise by 0..3 quarters about the middle of its source."""
    if quarters == 0:
        return patch
    y, x = patch.centre
    centre = ((x, 1 - y), (1 - y, 1 - x), (1 - x, y))[quarters - 1]
    return replace(
        patch,
        image_HWC=turn(patch.image_HWC, quarters),
        instances_HW=turn(patch.instances_HW, quarters),
        centre=centre,
    )


def without_small(patch: Patch, min_px: int) -> Patch:
    """The patch without objects of fewer than `min_px` pixels."""
    areas_I = patch.areas_I()
    small_I = (areas_I > 0) & (areas_I < min_px)
    small_I[0] = False
    if not small_I.any():
        return patch
    return replace(patch, instances_HW=kept(patch.instances_HW, ~small_I))
