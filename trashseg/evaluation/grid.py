"""The contest's scoring grid: every mask is taken down to 256x256 before it is scored."""

import numpy as np
from numpy.typing import NDArray

SIDE = 256


def to_grid(mask_HW: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """`mask_HW` at side x side by nearest sampling; of 512x512 these are the even rows and columns.

    >>> to_grid(np.arange(16, dtype=np.uint8).reshape(4, 4), side=2)
    array([[ 0,  2],
           [ 8, 10]], dtype=uint8)
    """
    height, width = mask_HW.shape
    steps = np.arange(side)
    return np.ascontiguousarray(mask_HW[np.ix_(steps * height // side, steps * width // side)])


def from_grid(grid_HW: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`grid_HW` at height x width by nearest sampling, the way back from `to_grid`."""
    rows, columns = (_sources(size, side) for size, side in zip((height, width), grid_HW.shape, strict=True))
    return np.ascontiguousarray(grid_HW[np.ix_(rows, columns)])


def _sources(size: int, side: int) -> NDArray[np.intp]:
    """For each of `size` pixels the last place on a grid of `side` that was sampled at it or before it."""
    return ((np.arange(size) + 1) * side - 1) // size
