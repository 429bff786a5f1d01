"""Small objects that the CRF took away although every member of the ensemble sees them are put back."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

MemberMasks = Callable[[], Sequence[NDArray[np.uint8]]]
"""Gives the members' own argmax masks of one image; called only where an object was lost."""


def lost_objects(
    before_HW: NDArray[np.uint8], after_HW: NDArray[np.uint8], area_px: int
) -> list[tuple[int, NDArray[np.bool_]]]:
    """Objects of up to `area_px` pixels that `after` mostly took away: (class, pixels_HW).

    An object is an 8-connected region of one class other than Background in
    `before`; it is lost where `after` keeps less than half of it.
    """
    moved = before_HW[before_HW != after_HW]
    lost: list[tuple[int, NDArray[np.bool_]]] = []
    for label in np.flatnonzero(np.bincount(moved, minlength=1)[1:]) + 1 if moved.size else ():
        count, regions_HW, stats, _ = cv2.connectedComponentsWithStats((before_HW == label).astype(np.uint8))
        kept = np.bincount(regions_HW[after_HW == label], minlength=count)
        areas = stats[:, cv2.CC_STAT_AREA]
        for region in np.flatnonzero((areas <= area_px) & (2 * kept < areas)):
            if region:
                lost.append((int(label), regions_HW == region))
    return lost


def keep_agreed(
    before_HW: NDArray[np.uint8], after_HW: NDArray[np.uint8], members: MemberMasks, area_px: int
) -> NDArray[np.uint8]:
    """`after` with lost small objects put back where every member sees most of their pixels."""
    lost = lost_objects(before_HW, after_HW, area_px) if area_px else []
    if not lost:
        return after_HW
    masks = members()
    result_HW = after_HW.copy()
    for label, pixels_HW in lost:
        if all(2 * np.count_nonzero(mask_HW[pixels_HW] == label) > pixels_HW.sum() for mask_HW in masks):
            result_HW[pixels_HW] = label
    return result_HW
