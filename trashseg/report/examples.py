"""Which photos the report shows: the best, the worst, those the CRF changed, those the networks disagree on."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.evaluation.confusion import confusion_matrix, mean_iou

Masks = Callable[[int], NDArray[np.uint8]]
"""The index mask_HW of an image id."""


def evenly(ids: Sequence[int], count: int) -> list[int]:
    """At most `count` of `ids`, evenly spread over their order."""
    if len(ids) <= count:
        return list(ids)
    return [ids[i * len(ids) // count] for i in range(count)]


def image_ious(ids: Sequence[int], truth: Masks, prediction: Masks, classes: int) -> dict[int, float]:
    """mIoU of each image by itself over the classes in its truth or prediction; images without a label are left out."""
    scores = {}
    for image in ids:
        score = mean_iou(confusion_matrix(truth(image), prediction(image), classes))
        if np.isfinite(score):
            scores[image] = score
    return scores


def present(mask_HW: NDArray[np.uint8]) -> frozenset[int]:
    """Class indices in a mask without Background and unlabelled pixels."""
    return frozenset(int(value) for value in np.unique(mask_HW) if value not in (0, VOID))


def best(scores: Mapping[int, float], truth: Masks, count: int) -> list[int]:
    """The highest scores, other classes first, photos without objects left out (they are easy)."""
    ranked = sorted(scores, key=lambda image: (-scores[image], image))[: 12 * count]
    chosen: list[int] = []
    later: list[int] = []
    seen: set[frozenset[int]] = set()
    for image in ranked:
        classes = present(truth(image))
        if not classes:
            continue
        (later if classes in seen else chosen).append(image)
        seen.add(classes)
    return (chosen + later)[:count]


def worst(scores: Mapping[int, float], count: int) -> list[int]:
    """The lowest scores, lowest first."""
    return sorted(scores, key=lambda image: (scores[image], image))[:count]


def changed(before: Mapping[int, float], after: Mapping[int, float], count: int) -> list[int]:
    """Where a step changed an image's score most, either way: helped first, harm included where there is some."""
    gains = {image: after[image] - before[image] for image in before if image in after}
    up = sorted((i for i in gains if gains[i] > 0), key=lambda i: (-gains[i], i))
    down = sorted((i for i in gains if gains[i] < 0), key=lambda i: (gains[i], i))
    harmed = down[: max(0, count // 4)] if up else down[:count]
    return up[: count - len(harmed)] + harmed


def disagreement(masks: Sequence[NDArray[np.uint8]], classes: int) -> NDArray[np.float32]:
    """Per pixel the share of masks that differ from the most frequent class, in [0, 1), float32 (H, W)."""
    votes_CHW = np.zeros((classes, *masks[0].shape), np.uint16)
    for mask_HW in masks:
        for index in np.unique(mask_HW):
            votes_CHW[index] += mask_HW == index
    return np.asarray(1 - votes_CHW.max(0) / len(masks), np.float32)
