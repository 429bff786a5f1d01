"""A sample of the labelled pixels and what each network says of them, out of fold: a few numbers are fitted on it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.weights import PixelSample, sample_image
from trashseg.inference.workers import each
from trashseg.io import read_mask
from trashseg.paths import mask_name


def read_sample(
    stores: Mapping[int, Sequence[ProbabilityStore]],
    assignment: Mapping[int, int],
    masks: Path,
    pixels: int,
    workers: int = 0,
) -> PixelSample:
    """About `pixels` labelled pixels, alike from each image of `assignment` (id -> fold).

    `stores` maps a fold to one store of validation images per network. Which
    pixels are drawn depends on the image's id alone.
    """
    ids = sorted(assignment)
    each_image = max(1, pixels // max(1, len(ids)))

    def sample(image_id: int) -> tuple[np.ndarray, np.ndarray]:
        mask_HW = read_mask(masks / mask_name(image_id))
        return sample_image(stores[assignment[image_id]], image_id, mask_HW, each_image)

    parts = list(each(sample, ids, "reading out-of-fold predictions", workers))
    folds = [np.full(len(truth_S), assignment[image_id]) for image_id, (_, truth_S) in zip(ids, parts, strict=True)]
    return PixelSample(
        np.concatenate([members for members, _ in parts], 1),
        np.concatenate([truth for _, truth in parts]),
        np.concatenate(folds),
    )
