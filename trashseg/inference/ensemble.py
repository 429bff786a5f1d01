"""Several members' probabilities of an image as one answer: weighted mean, or hard vote.

M members, C classes, H height, W width.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID, Classes
from trashseg.errors import InputError
from trashseg.inference.probabilities import ProbabilityStore, mean_probabilities

TIE_BONUS = 0.02
"""What the winner of a vote gets on top: more than a step of the store, less than a vote of 20 members."""


def priority_order(classes: Classes, pixels_C: NDArray[np.int64], first: Sequence[str]) -> list[int]:
    """Class indices by who wins a tie: those named `first`, then the others, rarest in the labels first."""
    named = [classes.index(name) for name in first]
    rest = [int(index) for index in np.argsort(pixels_C, kind="stable") if int(index) not in named]
    return named + rest


def class_pixels(masks: Sequence[NDArray[np.uint8]], classes: int) -> NDArray[np.int64]:
    """Labelled pixels of each class over masks, (C,)."""
    total = np.zeros(256, np.int64)
    for mask_HW in masks:
        total += np.bincount(mask_HW.ravel(), minlength=256)
    total[VOID] = 0
    return total[:classes]


def vote(
    stores: Sequence[ProbabilityStore], image_id: int, weights: NDArray[np.float64], priority: Sequence[int]
) -> NDArray[np.float32]:
    """probabilities_CHW of a hard vote: each member's best class gets the member's weight.

    `weights` are (M,) or (M, C). Where the highest counts are equal the class
    that comes first in `priority` wins, and gets `TIE_BONUS` so that its lead
    survives the store.
    """
    votes_CHW: NDArray[np.float32] | None = None
    for store, weights_C in zip(stores, weights.reshape(len(stores), -1), strict=True):
        probabilities_CHW = store.read(image_id)
        if votes_CHW is None:
            votes_CHW = np.zeros_like(probabilities_CHW)
        elif votes_CHW.shape != probabilities_CHW.shape:
            found, expected = probabilities_CHW.shape, votes_CHW.shape
            raise InputError(f"{store.path(image_id)}: probabilities of shape {found}, the other members' {expected}")
        best_HW = probabilities_CHW.argmax(0)
        shares_C = np.broadcast_to(weights_C, len(votes_CHW)).astype(np.float32)
        for index in np.unique(best_HW):
            votes_CHW[index] += shares_C[index] * (best_HW == index)
    assert votes_CHW is not None
    votes_CHW /= votes_CHW.sum(0)
    winner_HW = _winner(votes_CHW, priority)
    np.put_along_axis(votes_CHW, winner_HW[None], np.take_along_axis(votes_CHW, winner_HW[None], 0) + TIE_BONUS, 0)
    return votes_CHW / np.float32(1 + TIE_BONUS)


def _winner(votes_CHW: NDArray[np.float32], priority: Sequence[int]) -> NDArray[np.int64]:
    """The class with most votes; of equals (within rounding) the first in `priority`."""
    tied_CHW = votes_CHW >= votes_CHW.max(0) - 1e-5
    order = np.asarray(priority)
    winner_HW: NDArray[np.int64] = order[tied_CHW[order].argmax(0)]
    return winner_HW


def combine(
    method: str,
    stores: Sequence[ProbabilityStore],
    image_id: int,
    weights: NDArray[np.float64],
    priority: Sequence[int],
) -> NDArray[np.float32]:
    """probabilities_CHW of an image by `soft` (weighted mean) or `vote`."""
    if method == "vote":
        return vote(stores, image_id, weights, priority)
    return mean_probabilities(stores, image_id, weights)
