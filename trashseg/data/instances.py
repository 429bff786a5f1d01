"""Instance maps as arrays: 0 where no object is, 1..I for the objects of an image.

A map is uint8 as long as its numbers fit, for which OpenCV has look-ups and
counts at a tenth of numpy's cost, and uint16 for the rare image of more than
255 objects. What the numbers mean is a table: classes_I, the class of each
instance, with 0 at index 0.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

InstanceMap = NDArray[np.unsignedinteger[Any]]

EXACT_IN_FLOAT = 1 << 24
"""OpenCV counts in float32, which holds whole numbers up to here."""


def empty_map(height: int, width: int, instances: int) -> InstanceMap:
    """A map without objects that has room for `instances` numbers."""
    return np.zeros((height, width), np.uint8 if instances < 256 else np.uint16)


def widened(instances_HW: InstanceMap, instances: int) -> InstanceMap:
    """A map that has room for `instances` numbers; the same one if it has."""
    return instances_HW if instances < 256 or instances_HW.dtype == np.uint16 else instances_HW.astype(np.uint16)


def look_up(table_I: NDArray[np.uint8], instances_HW: InstanceMap) -> NDArray[np.uint8]:
    """`table_I[instances_HW]`: for example the class of each pixel, uint8."""
    if instances_HW.dtype != np.uint8:
        return table_I[instances_HW]
    table = np.zeros(256, np.uint8)
    table[: len(table_I)] = table_I
    return np.asarray(cv2.LUT(instances_HW, table), np.uint8)


def count(instances_HW: InstanceMap, instances: int, inside_HW: NDArray[np.uint8] | None = None) -> NDArray[np.int64]:
    """Pixels of each number 0..I, (I + 1,); `inside_HW` (not 0) limits where."""
    if instances_HW.dtype == np.uint8 and instances_HW.size < EXACT_IN_FLOAT:
        histogram: Any = cv2.calcHist([instances_HW], [0], inside_HW, [256], [0, 256])
        return np.ravel(histogram)[: instances + 1].astype(np.int64)
    values = instances_HW.ravel() if inside_HW is None else instances_HW[inside_HW > 0]
    return np.bincount(values, minlength=instances + 1)


def shifted(instances_HW: InstanceMap, first: int, last: int) -> InstanceMap:
    """Numbers 1.. moved on to `first`..`last`; 0 stays 0."""
    if last < 256 and instances_HW.dtype == np.uint8:
        numbers_I = np.zeros(last - first + 2, np.uint8)
        numbers_I[1:] = np.arange(first, last + 1)
        return look_up(numbers_I, instances_HW)
    wide_HW = widened(instances_HW, last)
    return np.asarray(np.where(wide_HW > 0, wide_HW + wide_HW.dtype.type(first - 1), 0), wide_HW.dtype)


def kept(instances_HW: InstanceMap, keep_I: NDArray[np.bool_]) -> InstanceMap:
    """The map without the objects that `keep_I` is false for; numbers stay."""
    numbers_I = np.arange(len(keep_I), dtype=instances_HW.dtype) * keep_I.astype(instances_HW.dtype)
    return look_up(numbers_I, instances_HW) if instances_HW.dtype == np.uint8 else numbers_I[instances_HW]
