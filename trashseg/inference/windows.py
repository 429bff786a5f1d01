"""Windows that cover an image of any size, and how much each of their pixels counts.

Where windows overlap their answers are averaged with Gaussian weights: a
network sees little around a window's edge, so the middle counts most (Isensee
et al., nnU-Net, 2021).
"""

import math

import numpy as np
from numpy.typing import NDArray

SIGMA = 0.25
"""Standard deviation of the weights, as a fraction of the window's side."""


def starts(length: int, window: int, overlap: float) -> list[int]:
    """Where windows along one side begin: evenly spaced, from edge to edge, overlapping at least by `overlap`.

    >>> starts(10, 4, 0.5)
    [0, 2, 4, 6]
    """
    if length <= window:
        return [0]
    steps = math.ceil((length - window) / max(1, int(window * (1 - overlap))))
    return [round(step * (length - window) / steps) for step in range(steps + 1)]


def corners(size: tuple[int, int], window: tuple[int, int], overlap: float) -> list[tuple[int, int]]:
    """Top left corners (y, x) of the windows that cover `size` (height, width)."""
    return [(y, x) for y in starts(size[0], window[0], overlap) for x in starts(size[1], window[1], overlap)]


def gaussian_weights(window: tuple[int, int]) -> NDArray[np.float32]:
    """weights_HW of a window's pixels, in (0, 1], highest in its middle."""
    profiles = [np.exp(-0.5 * ((np.arange(n) + 0.5 - n / 2) / (SIGMA * n)) ** 2) for n in window]
    return np.outer(profiles[0], profiles[1]).astype(np.float32)
