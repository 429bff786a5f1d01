"""Which predictions are sure enough to be learned from.

A class's threshold is the lowest confidence at which enough of the pixels that
are called so, out of fold, really are; what is below it, and sure regions that
are too small to be objects, is unsure (255) and not learned from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID

MIN_PIXELS = 100
"""Fewer out-of-fold pixels called a class say too little of it: it is left unsure."""


@dataclass(frozen=True)
class Threshold:
    """From which probability on a class is sure; None: never. `precision` is what it reaches out of fold."""

    confidence: float | None
    precision: float | None
    pixels: int


def fit_threshold(
    confidence_S: NDArray[np.float32],
    right_S: NDArray[np.bool_],
    precision: float,
    lowest: float,
    highest: float,
) -> Threshold:
    """The lowest threshold in [lowest, highest] above which at least `precision` of the pixels are right.

    `confidence_S` are the probabilities of pixels called the class, `right_S`
    whether they are of it.
    """
    if len(confidence_S) < MIN_PIXELS:
        return Threshold(None, None, len(confidence_S))
    for threshold in np.linspace(lowest, highest, 40):
        sure = confidence_S >= threshold
        if sure.sum() < MIN_PIXELS:
            break
        reached = float(right_S[sure].mean())
        if reached >= precision:
            return Threshold(round(float(threshold), 4), reached, int(sure.sum()))
    return Threshold(None, None, len(confidence_S))


def fit_thresholds(
    probabilities_SC: NDArray[np.float32], truth_S: NDArray[np.uint8], precision: float, lowest: float, highest: float
) -> list[Threshold]:
    """One threshold for each class, from labelled pixels."""
    called_S, confidence_S = probabilities_SC.argmax(1), probabilities_SC.max(1)
    return [
        fit_threshold(confidence_S[called_S == c], truth_S[called_S == c] == c, precision, lowest, highest)
        for c in range(probabilities_SC.shape[1])
    ]


def label(
    probabilities_CHW: NDArray[np.float32], thresholds: Sequence[Threshold], min_area_px: int
) -> NDArray[np.uint8]:
    """mask_HW, uint8: the best class where it is sure, 255 elsewhere and where a sure region is too small."""
    best_HW = probabilities_CHW.argmax(0).astype(np.uint8)
    needed_C = np.array([2.0 if t.confidence is None else t.confidence for t in thresholds], np.float32)
    mask_HW = np.where(probabilities_CHW.max(0) >= needed_C[best_HW], best_HW, VOID).astype(np.uint8)
    return without_specks(mask_HW, min_area_px)


def without_specks(mask_HW: NDArray[np.uint8], min_area_px: int) -> NDArray[np.uint8]:
    """The mask with each connected region of a class below `min_area_px` turned into 255."""
    cleaned_HW = mask_HW.copy()
    for index in np.unique(mask_HW):
        if index == VOID or min_area_px < 2:
            continue
        _, regions_HW, stats, _ = cv2.connectedComponentsWithStats((mask_HW == index).astype(np.uint8), connectivity=8)
        small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < min_area_px)
        cleaned_HW[np.isin(regions_HW, small[small > 0])] = VOID
    return cleaned_HW


@dataclass(frozen=True)
class Candidate:
    """What a pseudo-labelled image has: shares of its pixels, and its classes but Background."""

    image_id: int
    sure: float
    objects_px: int
    classes: tuple[int, ...]


def describe(image_id: int, mask_HW: NDArray[np.uint8]) -> Candidate:
    """The candidate of an image and its mask."""
    counts = np.bincount(mask_HW.ravel(), minlength=256)
    present = tuple(int(c) for c in np.flatnonzero(counts[:VOID]) if c)
    return Candidate(image_id, float(1 - counts[VOID] / mask_HW.size), int(counts[1:VOID].sum()), present)


def choose(
    candidates: Sequence[Candidate], min_sure: float, min_objects_px: int, limit: int | None, balance: float
) -> list[int]:
    """Ids of the images to use, ascending: sure enough, surest first up to `limit`.

    With `balance` above 0 a class is in at most `balance` times as many images
    as the median class (of those that are in any), so that a frequent class
    does not swamp the others; an image is left out when all its classes are
    full.
    """
    usable = [c for c in candidates if c.sure >= min_sure and c.objects_px >= min_objects_px]
    usable.sort(key=lambda c: (-c.sure, c.image_id))
    if balance > 0:
        usable = _balanced(usable, balance)
    return sorted(c.image_id for c in usable[:limit])


def _balanced(usable: Sequence[Candidate], balance: float) -> list[Candidate]:
    counts: dict[int, int] = {}
    for candidate in usable:
        for index in candidate.classes:
            counts[index] = counts.get(index, 0) + 1
    most = max(1, round(balance * float(np.median(list(counts.values()))))) if counts else 0
    taken: dict[int, int] = dict.fromkeys(counts, 0)
    chosen = []
    for candidate in usable:
        if candidate.classes and all(taken[index] >= most for index in candidate.classes):
            continue
        chosen.append(candidate)
        for index in candidate.classes:
            taken[index] += 1
    return chosen


def limited_weight(weight: float, images: int, labelled: int, max_share: float) -> float:
    """`weight`, or less, so that weight x images is at most `max_share` of the labelled images."""
    return min(weight, max_share * labelled / images) if images else weight


def threshold_rows(
    thresholds: Sequence[Threshold], names: Sequence[str]
) -> Mapping[str, dict[str, float | int | None]]:
    """Thresholds by class name, as plain values."""
    rows = zip(names, thresholds, strict=True)
    return {n: {"confidence": t.confidence, "precision": t.precision, "pixels": t.pixels} for n, t in rows}
