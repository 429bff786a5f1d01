"""One confusion matrix of int64 counts; every score is a pure function of it.

Rows are the truth, columns the prediction. A class that is neither in the
truth nor predicted has no score: it is NaN and left out of means, never 0 or
1. Numpy alone, so that anything may import it.
"""

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID


def confusion_matrix(truth_HW: NDArray[np.uint8], prediction_HW: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Pixel counts (C, C), int64: rows the true class, columns the predicted one.

    Both arrays are uint8 of one shape (any number of axes). Pixels whose truth
    is `VOID` are not counted. Raises `ValueError` for other values outside 0..C-1.

    >>> confusion_matrix(np.array([0, 1, 255], np.uint8), np.array([1, 1, 0], np.uint8), 2)
    array([[0, 1],
           [0, 1]])
    """
    if truth_HW.shape != prediction_HW.shape:
        raise ValueError(f"prediction has shape {prediction_HW.shape}, expected the truth's {truth_HW.shape}")
    pairs = truth_HW.astype(np.uint16)
    pairs <<= 8
    pairs |= prediction_HW
    counts = np.bincount(pairs.ravel(), minlength=65536).reshape(256, 256)
    counts[VOID] = 0
    inside = counts[:classes, :classes].astype(np.int64)
    if inside.sum() != counts.sum():
        rows, columns = counts.nonzero()
        found = f"truth up to {rows.max()} and predictions up to {columns.max()}"
        raise ValueError(f"found {found}, expected 0..{classes - 1} or {VOID} (truth only)")
    return inside


def iou_per_class(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union (C,), NaN for classes neither in the truth nor predicted.

    `confusion` may have leading axes (..., C, C); the result has them too.
    """
    hit = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    union = confusion.sum(-1) + confusion.sum(-2) - hit
    ious: NDArray[np.float64] = np.divide(hit, union, out=np.full_like(hit, np.nan), where=union > 0)
    return ious


def mean_iou(confusion: NDArray[np.int64]) -> float:
    """mIoU: the mean of `iou_per_class` over present classes; NaN for a matrix without a pixel."""
    return float(mean_ious(confusion))


def mean_ious(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
    """mIoU of each matrix of a stack (..., C, C)."""
    ious = iou_per_class(confusions)
    present = ~np.isnan(ious)
    count = present.sum(-1)
    sums = np.where(present, ious, 0).sum(-1)
    means: NDArray[np.float64] = np.divide(sums, count, out=np.full(count.shape, np.nan), where=count > 0)
    return means


def pixel_accuracy(confusion: NDArray[np.int64]) -> float:
    """The share of labelled pixels that are right, in [0, 1]; NaN without a pixel."""
    total = int(confusion.sum())
    return int(np.trace(confusion)) / total if total else float("nan")
