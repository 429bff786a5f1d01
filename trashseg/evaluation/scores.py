"""Everything that is counted of one predicted mask, and the scores made from the counts of many."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trashseg.evaluation.boundary import boundary_counts, boundary_iou
from trashseg.evaluation.confusion import confusion_matrix, iou_per_class, mean_iou, pixel_accuracy
from trashseg.evaluation.grid import to_grid
from trashseg.evaluation.intervals import bounds, group_counts, miou_interval, resampled_confusions, resamples
from trashseg.evaluation.objects import by_size, object_counts


@dataclass(frozen=True)
class Counts:
    """Counts of one image, or stacked of N: (C, C) full size, (C, C) on the grid, (C, 2) edges, (3, 3) objects."""

    full: NDArray[np.int64]
    grid: NDArray[np.int64]
    boundary: NDArray[np.int64]
    objects: NDArray[np.float64]


def count(truth_HW: NDArray[np.uint8], prediction_HW: NDArray[np.uint8], classes: int) -> Counts:
    """The counts of one predicted mask."""
    return Counts(
        confusion_matrix(truth_HW, prediction_HW, classes),
        confusion_matrix(to_grid(truth_HW), to_grid(prediction_HW), classes),
        boundary_counts(truth_HW, prediction_HW, classes),
        object_counts(truth_HW, prediction_HW),
    )


def stack(counts: Sequence[Counts]) -> Counts:
    """The counts of N >= 1 images, a leading axis of N on each array."""
    return Counts(
        np.stack([c.full for c in counts]),
        np.stack([c.grid for c in counts]),
        np.stack([c.boundary for c in counts]),
        np.stack([c.objects for c in counts]),
    )


def plain(value: float) -> float | None:
    """A score as JSON has it: NaN is null."""
    return None if np.isnan(value) else float(value)


def named(values: NDArray[np.float64], names: Sequence[str]) -> dict[str, float | None]:
    """One score per class, by name; null for absent classes."""
    return {name: plain(value) for name, value in zip(names, values, strict=True)}


def class_intervals(
    confusions_NCC: NDArray[np.int64],
    names: Sequence[str],
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    samples: int,
    confidence: float,
) -> dict[str, list[float] | None]:
    """The bootstrap interval of each class's IoU, by name; null for absent classes."""
    units, _ = group_counts(confusions_NCC, groups)
    ious = iou_per_class(resampled_confusions(resamples(len(units), samples, rng), units))
    present = ~np.isnan(iou_per_class(units.sum(0)))
    return {
        name: list(bounds(ious[:, index], confidence)) if present[index] else None for index, name in enumerate(names)
    }


def summary(
    step: str,
    counts: Counts,
    names: Sequence[str],
    groups: Sequence[Hashable],
    seed: Sequence[int],
    samples: int = 1000,
    confidence: float = 0.95,
) -> dict[str, object]:
    """One entry of `steps` in metrics.json, from the stacked counts of the step's images.

    `groups` is the near-duplicate group of each image. Intervals are drawn
    anew from `seed`, so that the same images get the same draws at each step.
    """

    def rng() -> np.random.Generator:
        return np.random.default_rng(list(seed))

    full = counts.full.sum(0)
    boundary = boundary_iou(counts.boundary.sum(0))
    return {
        "step": step,
        "images": len(counts.full),
        "miou": plain(mean_iou(full)),
        "interval": miou_interval(counts.full, rng(), groups, samples, confidence).as_list(),
        "miou_256": plain(mean_iou(counts.grid.sum(0))),
        "interval_256": miou_interval(counts.grid, rng(), groups, samples, confidence).as_list(),
        "pixel_accuracy": plain(pixel_accuracy(full)),
        "boundary_iou": plain(float(np.nanmean(boundary))) if not np.isnan(boundary).all() else None,
        "per_class": named(iou_per_class(full), names),
        "per_class_interval": class_intervals(counts.full, names, groups, rng(), samples, confidence),
        "per_class_boundary": named(boundary, names),
        "by_size": by_size(counts.objects.sum(0)),
    }
