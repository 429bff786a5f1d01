"""OpenCV's geometry with the arrays' types kept: flips, turns, scaling and warps of images, masks and instance maps."""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

A = TypeVar("A", bound=np.generic)

TURNS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


def flip(pixels: NDArray[A], axis: int) -> NDArray[A]:
    """Mirrored left to right (`axis` 1) or top to bottom (0)."""
    return _typed(cv2.flip(_untyped(pixels), axis), pixels)


def turn(pixels: NDArray[A], quarters: int) -> NDArray[A]:
    """Turned clockwise by 1..3 quarters."""
    return _typed(cv2.rotate(_untyped(pixels), TURNS[quarters - 1]), pixels)


def transpose(pixels: NDArray[A]) -> NDArray[A]:
    """Rows become columns."""
    return _typed(cv2.transpose(_untyped(pixels)), pixels)


def resize(pixels: NDArray[A], height: int, width: int, interpolation: int) -> NDArray[A]:
    """Scaled to `height` x `width`."""
    return _typed(cv2.resize(_untyped(pixels), (width, height), interpolation=interpolation), pixels)


def warp(pixels: NDArray[A], matrix: NDArray[np.float32], interpolation: int) -> NDArray[A]:
    """Moved by a 2x3 affine matrix of (x, y), at the same size; what comes from outside is 0."""
    height, width = pixels.shape[:2]
    return _typed(cv2.warpAffine(_untyped(pixels), matrix, (width, height), flags=interpolation), pixels)


def remap(
    pixels: NDArray[A], columns_HW: NDArray[np.float32], rows_HW: NDArray[np.float32], interpolation: int
) -> NDArray[A]:
    """Each pixel taken from the column and row named; borders are mirrored."""
    moved = cv2.remap(_untyped(pixels), columns_HW, rows_HW, interpolation, borderMode=cv2.BORDER_REFLECT_101)
    return _typed(moved, pixels)


def _untyped(pixels: NDArray[Any]) -> Any:
    return pixels


def _typed(result: Any, like: NDArray[A]) -> NDArray[A]:
    return np.asarray(result, like.dtype)
