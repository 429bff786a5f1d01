"""Boundary IoU: how well edges fit, whatever the size of the object.

Cheng, Girshick, Dollár, Berg, Kirillov: Boundary IoU, CVPR 2021. Of truth and
prediction of each class only the pixels within a small distance of its outline
count. Counts add up over images as a confusion matrix's do.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID

RATIO = 0.02
"""Width of the band as a share of the image's diagonal, as in the paper."""


def band_px(height: int, width: int, ratio: float = RATIO) -> int:
    """Width of the band inside an outline, pixels (at least 1)."""
    return max(1, round(ratio * float(np.hypot(height, width))))


def inner_band(region_HW: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    """The pixels (1) of a 0/1 region that lie within `width_px` of its outline; the image's border is an outline."""
    kernel = np.ones((3, 3), np.uint8)
    eroded_HW = cv2.erode(region_HW, kernel, iterations=width_px, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.subtract(region_HW, eroded_HW, dtype=np.uint8)


def boundary_counts(
    truth_HW: NDArray[np.uint8], prediction_HW: NDArray[np.uint8], classes: int, ratio: float = RATIO
) -> NDArray[np.int64]:
    """(C, 2): per class the pixels in both bands, and in either. `VOID` pixels of the truth count nowhere."""
    width_px = band_px(truth_HW.shape[0], truth_HW.shape[1], ratio)
    known_HW = truth_HW != VOID
    guess_HW = np.where(known_HW, prediction_HW, VOID)
    counts = np.zeros((classes, 2), np.int64)
    pixels = np.bincount(truth_HW.ravel(), minlength=256) + np.bincount(guess_HW.ravel(), minlength=256)
    for label in np.flatnonzero(pixels[:VOID]):
        truth, guess = ((mask_HW == label).astype(np.uint8) for mask_HW in (truth_HW, guess_HW))
        left, top, width, height = cv2.boundingRect(truth | guess)
        here = np.s_[top : top + height, left : left + width]  # beyond it there is nothing to erode
        truth_band, guess_band = inner_band(truth[here], width_px), inner_band(guess[here], width_px)
        counts[label] = np.count_nonzero(truth_band & guess_band), np.count_nonzero(truth_band | guess_band)
    return counts


def boundary_iou(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Boundary IoU of each class (..., C) from summed counts (..., C, 2); NaN where a class is absent."""
    both, either = counts[..., 0].astype(np.float64), counts[..., 1]
    ious: NDArray[np.float64] = np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)
    return ious
