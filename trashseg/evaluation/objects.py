"""Scores by object size: small objects hardly move mIoU, and are what users look for.

An object is an 8-connected region of one class other than Background in the
truth. It counts as found where at least half of its pixels are right.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID

SIZES = ("small", "medium", "large")
LIMITS = (0.01, 0.1)
"""Share of the image an object covers: below 1 % is small, from 10 % on is large."""


def object_counts(truth_HW: NDArray[np.uint8], prediction_HW: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(3, 3): per size the number of objects, of those found, and the sum of their right shares."""
    counts = np.zeros((len(SIZES), 3))
    right_HW = truth_HW == prediction_HW
    for label in np.flatnonzero(np.bincount(truth_HW.ravel(), minlength=256)[1:VOID]) + 1:
        of_class = (truth_HW == label).astype(np.uint8)
        left, top, width, height = cv2.boundingRect(of_class)
        here = np.s_[top : top + height, left : left + width]
        count, regions_HW = cv2.connectedComponents(of_class[here])
        areas = np.bincount(regions_HW.ravel(), minlength=count)[1:]
        shares = np.bincount((regions_HW * right_HW[here]).ravel(), minlength=count)[1:] / areas
        sizes = np.searchsorted(LIMITS, areas / truth_HW.size, side="right")
        for size in range(len(SIZES)):
            of_size = shares[sizes == size]
            counts[size] += len(of_size), np.count_nonzero(of_size >= 0.5), of_size.sum()
    return counts


def by_size(counts: NDArray[np.float64]) -> dict[str, dict[str, float | None]]:
    """Summed counts in words: objects, the share found, the mean right share; None without an object."""
    return {
        size: {
            "objects": int(total),
            "found": float(found / total) if total else None,
            "covered": float(covered / total) if total else None,
        }
        for size, (total, found, covered) in zip(SIZES, counts, strict=True)
    }
