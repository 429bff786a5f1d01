"""Fully connected CRF: sharper edges from the photo's own colours, behind one small interface.

Mean field with a smoothness kernel (position) and an appearance kernel
(position and colour), Potts weights; Krähenbühl and Koltun, Efficient
Inference in Fully Connected CRFs with Gaussian Edge Potentials, NeurIPS 2011.
`pydensecrf` is the reference; other engines give the same answer faster. Two
shortcuts hold for all engines: a class too faint to win anywhere is left out,
and a photo with one class left has no edge to move.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError

FLOOR = 1e-5
"""Probabilities below this count as this: no pixel is ever certain."""

FAINT = 0.1
"""A class that is nowhere first and nowhere reaches this probability is left out."""

Engine = Callable[[NDArray[np.float32], NDArray[np.uint8], "CrfParameters"], NDArray[np.uint8]]
"""(probabilities_CHW, image_HWC, parameters) -> labels_HW of 0..C-1; inputs are C-contiguous, C >= 2."""


@dataclass(frozen=True)
class CrfParameters:
    """Standard deviations in pixels (sxy) and grey levels (srgb), Potts weights (compat), mean-field steps."""

    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 50.0
    bilateral_srgb: float = 5.0
    bilateral_compat: float = 4.0
    iterations: int = 10


def argmax(probabilities_CHW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The most likely class of each pixel, (H, W) uint8; the lower index wins a tie."""
    mask_HW: NDArray[np.uint8] = probabilities_CHW.argmax(0).astype(np.uint8)
    return mask_HW


def contenders(probabilities_CHW: NDArray[np.float32], faint: float = FAINT) -> NDArray[np.intp]:
    """Indices of classes that win a pixel or reach `faint` somewhere, ascending."""
    classes = len(probabilities_CHW)
    wins = np.bincount(argmax(probabilities_CHW).ravel(), minlength=classes) > 0
    return np.flatnonzero(wins | (probabilities_CHW.reshape(classes, -1).max(1) >= faint))


def unary_energy(probabilities_CHW: NDArray[np.float32]) -> NDArray[np.float32]:
    """-log of probabilities, those below `FLOOR` raised to it; float32, C-contiguous."""
    return -np.log(np.maximum(probabilities_CHW, np.float32(FLOOR)))


def refined_mask(
    probabilities_CHW: NDArray[np.float32], image_HWC: NDArray[np.uint8], parameters: CrfParameters, solve: Engine
) -> NDArray[np.uint8]:
    """The CRF's most likely class of each pixel, (H, W) uint8.

    `probabilities_CHW` sums to 1 over classes; `image_HWC` is r, g, b of the
    same height and width. Raises `InputError` where sizes differ.
    """
    if probabilities_CHW.shape[1:] != image_HWC.shape[:2]:
        sizes = " and ".join("x".join(map(str, shape)) for shape in (probabilities_CHW.shape[1:], image_HWC.shape[:2]))
        raise InputError(f"probabilities and photo are {sizes} pixels (height x width), expected the same")
    kept = contenders(probabilities_CHW)
    if len(kept) < 2:
        return argmax(probabilities_CHW)
    labels_HW = solve(np.ascontiguousarray(probabilities_CHW[kept]), np.ascontiguousarray(image_HWC), parameters)
    refined_HW: NDArray[np.uint8] = kept.astype(np.uint8)[labels_HW]
    return refined_HW
