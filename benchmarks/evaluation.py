"""`evaluation`: seconds to score 3,272 masks of 512x512 from files, with edges, sizes and intervals.

Beside a plain loop that counts the confusion matrix alone with scikit-learn, on a twentieth of the masks.
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from trashseg.classes import CONTEST
from trashseg.evaluation.own_masks import evaluate_masks
from trashseg.io import read_mask, write_mask
from trashseg.parallel import cores

MASKS = 3272


def scene(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A mask of a few ellipses."""
    mask_HW = np.zeros((512, 512), np.uint8)
    for _ in range(int(rng.integers(1, 8))):
        centre, axes = rng.integers(0, 512, 2), rng.integers(10, 120, 2)
        colour = int(rng.integers(1, 11))
        cv2.ellipse(
            mask_HW, tuple(map(int, centre)), tuple(map(int, axes)), float(rng.integers(180)), 0, 360, colour, -1
        )
    return mask_HW


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    scenes = [scene(rng) for _ in range(64)]
    with tempfile.TemporaryDirectory() as folder:
        truth, predicted = Path(folder) / "truth", Path(folder) / "predicted"
        for index in range(MASKS):
            mask_HW = scenes[index % 64]
            write_mask(truth / f"{index}.png", mask_HW, CONTEST.palette())
            write_mask(predicted / f"{index}.png", np.roll(mask_HW, index % 9, axis=1), CONTEST.palette())
        start = time.perf_counter()
        scores = evaluate_masks(predicted, truth, CONTEST)
        ours = time.perf_counter() - start
        start = time.perf_counter()
        for index in range(MASKS // 20):
            pair = (read_mask(part / f"{index}.png").ravel() for part in (truth, predicted))
            confusion_matrix(*pair, labels=range(11))
        plain = (time.perf_counter() - start) * 20
    print(f"{MASKS} masks, {cores()} cores: {ours:.1f} s, mIoU {scores['miou']:.4f}")
    print(f"scikit-learn's confusion matrix alone, one core: {plain:.0f} s (from a twentieth of them)")


if __name__ == "__main__":
    main()
