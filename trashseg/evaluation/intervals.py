"""How sure a score is: bootstrap intervals and paired tests over images.

Images are the unit that is resampled, never pixels: pixels of one photo are
not independent. Near-duplicates are not either, so images of one group are
drawn together (a cluster bootstrap). Two systems are compared on the same
draws, which takes the difficulty of the images out of the difference.

Percentile intervals: Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13; paired permutation: chapter 15.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trashseg.evaluation.confusion import mean_ious


@dataclass(frozen=True)
class Interval:
    """A point estimate and the bounds of its interval, in the unit of the score."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float]:
        """[low, high]."""
        return [self.low, self.high]

    def includes_zero(self) -> bool:
        """Whether a difference may as well be none (an undefined one may)."""
        return not (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Comparison:
    """`b` minus `a` in mIoU, and how likely so large a difference is by chance."""

    gain: Interval
    p_value: float


def group_counts(
    confusions_NCC: NDArray[np.int64], groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Confusions summed per group (G, C, C), and the group's index of each image (N,)."""
    if groups is None:
        return confusions_NCC, np.arange(len(confusions_NCC))
    order: dict[Hashable, int] = {}
    index = np.array([order.setdefault(group, len(order)) for group in groups], np.int64)
    summed = np.zeros((len(order), *confusions_NCC.shape[1:]), np.int64)
    np.add.at(summed, index, confusions_NCC)
    return summed, index


def resamples(count: int, samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each of `count` units is drawn, (samples, count): draws with replacement."""
    return rng.multinomial(count, np.full(count, 1 / count), size=samples).astype(np.float64)


def resampled_ious(draws_BG: NDArray[np.float64], confusions_GCC: NDArray[np.int64]) -> NDArray[np.float64]:
    """mIoU of each draw, (samples,)."""
    return mean_ious(resampled_confusions(draws_BG, confusions_GCC))


def resampled_confusions(draws_BG: NDArray[np.float64], confusions_GCC: NDArray[np.int64]) -> NDArray[np.int64]:
    """The summed confusion matrix of each draw, (samples, C, C)."""
    units = len(confusions_GCC)
    flat = draws_BG @ confusions_GCC.reshape(units, -1).astype(np.float64)
    return flat.reshape(-1, *confusions_GCC.shape[1:]).astype(np.int64)


def bounds(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Percentile bounds that hold `confidence` (in [0, 1]) of the values that are not NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def miou_interval(
    confusions_NCC: NDArray[np.int64],
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """mIoU of all images together, with its bootstrap interval.

    `confusions_NCC` holds one confusion matrix per image; `groups` one key per
    image, images of one group are drawn together.
    """
    units, _ = group_counts(confusions_NCC, groups)
    value = float(mean_ious(units.sum(0)))
    if not len(units):
        return Interval(value, float("nan"), float("nan"))
    low, high = bounds(resampled_ious(resamples(len(units), samples, rng), units), confidence)
    return Interval(value, low, high)


def compare(
    a_NCC: NDArray[np.int64],
    b_NCC: NDArray[np.int64],
    rng: np.random.Generator,
    groups: Sequence[Hashable] | None = None,
    samples: int = 1000,
    confidence: float = 0.95,
) -> Comparison:
    """The paired gain in mIoU of system `b` over `a`, scored on the same images in the same order."""
    if a_NCC.shape != b_NCC.shape:
        raise ValueError(f"systems are scored on {a_NCC.shape[0]} and {b_NCC.shape[0]} images, expected the same")
    a, _ = group_counts(a_NCC, groups)
    b, _ = group_counts(b_NCC, groups)
    value = float(mean_ious(b.sum(0)) - mean_ious(a.sum(0)))
    if not len(a):
        return Comparison(Interval(value, float("nan"), float("nan")), 1.0)
    draws = resamples(len(a), samples, rng)
    low, high = bounds(resampled_ious(draws, b) - resampled_ious(draws, a), confidence)
    return Comparison(Interval(value, low, high), permutation_p(a, b, rng, samples))


def permutation_p(
    a_GCC: NDArray[np.int64], b_GCC: NDArray[np.int64], rng: np.random.Generator, samples: int = 1000
) -> float:
    """Two-sided p-value of the mIoU difference when the systems' names are swapped at random, unit by unit."""
    observed = abs(float(mean_ious(b_GCC.sum(0)) - mean_ious(a_GCC.sum(0))))
    swap = rng.integers(0, 2, (samples, len(a_GCC))).astype(np.float64)
    first = resampled_confusions(swap, a_GCC) + resampled_confusions(1 - swap, b_GCC)
    second = a_GCC.sum(0) + b_GCC.sum(0) - first
    differences = np.abs(mean_ious(second) - mean_ious(first))
    return float((np.count_nonzero(differences >= observed - 1e-12) + 1) / (samples + 1))
