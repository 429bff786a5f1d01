"""Pasting a patch into a scene: pixels, labels and instances, within limits on what may be hidden."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.data.instances import InstanceMap, count, look_up, shifted, widened
from trashseg.data.patch import Patch, without_small
from trashseg.data.scenes import Scene


@dataclass(frozen=True)
class Limits:
    """`max_cover`: largest share of an object that may be covered; `min_visible_px`: fewest pixels one may show."""

    max_cover: float = 0.6
    min_visible_px: int = 64


@dataclass(frozen=True)
class Pasted:
    """A scene with a patch in it, and the part of the patch that was pasted."""

    scene: Scene
    patch: Patch


def paste(scene: Scene, patch: Patch, corner: tuple[int, int], limits: Limits, soft_edge_px: float) -> Pasted | None:
    """The scene with the patch's top left at `corner` (y, x, may lie outside), or None where a limit forbids it.

    Labels change at the objects' edges, exactly; colours blend over about
    `soft_edge_px` pixels around them. What the scene's border cuts below
    `min_visible_px` is not pasted; what is smaller to begin with is the caller's choice.
    """
    region, inside = overlap(scene.mask_HW.shape, patch.instances_HW.shape, corner)
    if region is None:
        return None
    clipped = Patch(patch.image_HWC[inside], patch.instances_HW[inside], patch.classes_I, patch.centre)
    if clipped.instances_HW.shape != patch.instances_HW.shape:
        clipped = without_small(clipped, limits.min_visible_px)
    owners_HW = clipped.instances_HW
    stencil_HW = (owners_HW > 0).view(np.uint8)
    if not cv2.countNonZero(stencil_HW) or _hides_too_much(scene, region, stencil_HW, limits):
        return None
    first, last = len(scene.classes_I), len(scene.classes_I) + len(clipped.classes_I) - 2
    instances_HW = widened(scene.instances_HW, last).copy()
    image_HWC, mask_HW = scene.image_HWC.copy(), scene.mask_HW.copy()
    image_HWC[region] = blend(image_HWC[region], clipped.image_HWC, stencil_HW, soft_edge_px)
    _overlay(mask_HW, region, look_up(clipped.classes_I, owners_HW), stencil_HW)
    _overlay(instances_HW, region, shifted(owners_HW, first, last).astype(instances_HW.dtype), stencil_HW)
    classes_I = np.concatenate([scene.classes_I, clipped.classes_I[1:]])
    return Pasted(Scene(image_HWC, mask_HW, instances_HW, classes_I), clipped)


def overlap(
    scene: tuple[int, ...], patch: tuple[int, ...], corner: tuple[int, int]
) -> tuple[tuple[slice, slice] | None, tuple[slice, slice]]:
    """Where the patch lies in the scene, and which part of the patch that is."""
    first = [max(0, at) for at in corner]
    last = [min(side, at + length) for side, at, length in zip(scene, corner, patch, strict=True)]
    inside = tuple(slice(a - at, b - at) for a, b, at in zip(first, last, corner, strict=True))
    region = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    empty = any(a >= b for a, b in zip(first, last, strict=True))
    return (None if empty else (region[0], region[1])), (inside[0], inside[1])


def _hides_too_much(scene: Scene, region: tuple[slice, slice], stencil_HW: NDArray[np.uint8], limits: Limits) -> bool:
    covered_I = count(np.ascontiguousarray(scene.instances_HW[region]), len(scene.classes_I) - 1, stencil_HW)
    covered_I[0] = 0
    left_I = scene.areas_I - covered_I
    too_much_I = (covered_I > limits.max_cover * scene.areas_I) | (left_I < limits.min_visible_px)
    return bool((too_much_I & (covered_I > 0)).any())


def _overlay(
    under_HW: InstanceMap, region: tuple[slice, slice], over_HW: InstanceMap, stencil_HW: NDArray[np.uint8]
) -> None:
    """Set the region's pixels to `over_HW` where the stencil is 1."""
    under_HW[region] = cv2.copyTo(over_HW, stencil_HW, np.ascontiguousarray(under_HW[region]))


def blend(
    under_HWC: NDArray[np.uint8], over_HWC: NDArray[np.uint8], stencil_HW: NDArray[np.uint8], soft_edge_px: float
) -> NDArray[np.uint8]:
    """`over` where the stencil is 1, `under` where it is 0, with a Gaussian ramp between them."""
    if soft_edge_px == 0:
        return np.asarray(cv2.copyTo(over_HWC, stencil_HW, under_HWC.copy()), np.uint8)
    alpha_HW = cv2.GaussianBlur(stencil_HW.astype(np.float32), (0, 0), soft_edge_px / 2)
    return np.asarray(cv2.blendLinear(over_HWC, under_HWC, alpha_HW, 1 - alpha_HW), np.uint8)
