"""Whether the CRF helps, and with which parameters: decided out of fold, scored cross-fitted.

Parameters for the images of a fold are chosen on the images of the other
folds, so the reported gain has not been tuned on the images it is measured
on. "Off" competes as one more candidate, unless the CRF is to be applied
whatever it does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trashseg.evaluation.confusion import mean_ious
from trashseg.evaluation.intervals import Comparison

OFF = 0
"""Candidate 0 is always the ensemble untouched; candidate i > 0 is the i-th parameter set."""


@dataclass(frozen=True)
class CrossFit:
    """The candidate for each fold's images, and for images outside all folds."""

    by_fold: dict[int, int]
    overall: int


def best(confusions_KNCC: NDArray[np.int64], first: int = OFF) -> int:
    """The candidate, from `first` on, with the highest mIoU over all N images; of equals the first, so `OFF` wins."""
    scores = np.nan_to_num(mean_ious(confusions_KNCC[first:].sum(1)), nan=-1.0)
    return first + int(scores.argmax())


def cross_fit(confusions_KNCC: NDArray[np.int64], folds_N: Sequence[int], first: int = OFF) -> CrossFit:
    """For each fold the best candidate (from `first` on) on the other folds' images, and the best on all."""
    folds = np.asarray(folds_N)
    by_fold = {int(fold): best(confusions_KNCC[:, folds != fold], first) for fold in np.unique(folds)}
    return CrossFit(by_fold, best(confusions_KNCC, first))


def crossed(confusions_KNCC: NDArray[np.int64], folds_N: Sequence[int], choice: CrossFit) -> NDArray[np.int64]:
    """Per-image confusions (N, C, C), each image under its fold's candidate."""
    chosen = np.array([choice.by_fold[int(fold)] for fold in folds_N], np.intp)
    picked: NDArray[np.int64] = confusions_KNCC[chosen, np.arange(len(chosen))]
    return picked


def search_ids(ids_by_fold: Mapping[int, Sequence[int]], limit: int) -> list[int]:
    """At most `limit` image ids, the same share of each fold, evenly spaced over its ids; ascending."""
    total = sum(map(len, ids_by_fold.values()))
    share = min(1.0, limit / max(total, 1))
    picked: list[int] = []
    for ids in ids_by_fold.values():
        count = max(1, int(len(ids) * share)) if len(ids) else 0
        picked += [sorted(ids)[i] for i in np.linspace(0, len(ids) - 1, count).round().astype(int)]
    return sorted(picked)


def verdict(comparison: Comparison, overall: int, always: bool = False) -> tuple[bool, str]:
    """Whether the CRF stays on, and the reason in words; `always`: it does, whatever it gains."""
    gain = comparison.gain
    words = f"{gain.value:+.4f} mIoU out of fold, interval {gain.low:+.4f} to {gain.high:+.4f}"
    if always:
        return True, f"on: applied whatever it gains ({words})"
    if overall == OFF:
        return False, f"off: no parameters beat the ensemble alone on all out-of-fold images ({words})"
    if not gain.low > 0:
        return False, f"off: the gain may as well be none ({words})"
    return True, f"on: it helps ({words})"
