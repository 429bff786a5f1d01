"""Whether probabilities mean what they say: of pixels predicted at 0.8, are 80 % right?

Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
"""

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID

BINS = 20


def calibration_counts(
    truth_HW: NDArray[np.uint8], probabilities_CHW: NDArray[np.float32], bins: int = BINS
) -> NDArray[np.float64]:
    """(bins, 3): per bin of the winning probability the pixels, those right, and the sum of the probabilities."""
    known_HW = truth_HW != VOID
    confidence = probabilities_CHW.max(0)[known_HW]
    right = (probabilities_CHW.argmax(0) == truth_HW)[known_HW]
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    weights = (None, right, confidence)
    return np.stack([np.bincount(index, weight, minlength=bins).astype(np.float64) for weight in weights], axis=1)


def calibration_error(counts: NDArray[np.float64]) -> float | None:
    """Expected calibration error: the mean gap between probability and accuracy, weighted by pixels."""
    total = counts[:, 0].sum()
    return float(np.abs(counts[:, 1] - counts[:, 2]).sum() / total) if total else None


def calibration_rows(counts: NDArray[np.float64]) -> list[dict[str, float]]:
    """Bins that hold pixels: mean probability, accuracy, share of all pixels."""
    total = counts[:, 0].sum()
    return [
        {"confidence": float(summed / pixels), "accuracy": float(right / pixels), "share": float(pixels / total)}
        for pixels, right, summed in counts
        if pixels
    ]
