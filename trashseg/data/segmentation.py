"""From an annotation's `segmentation` to its pixels, by pycocotools' rule and never by its faults.

pycocotools is the label rule (other rasterisers differ at edges), but it takes
a polygon of 4 numbers for a box, crashes on infinite or huge coordinates and
gives empty masks for NaN or odd lengths: all of that is refused here first.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from trashseg.data.rle import Rle, checked_rle

MAX_COORDINATE_PX = 1e5
"""pycocotools walks every polygon edge in fifths of a pixel: beyond this it would run out of memory."""
MAX_EDGE_PX = 2e7
"""Total length of a segmentation's edges: more would take minutes and gigabytes."""


def checked_polygon(value: object) -> list[float]:
    """A flat x, y list of at least 3 finite points of sane size. Raises `ValueError`."""
    if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
        raise ValueError("a polygon is not a flat list of numbers")
    if len(value) % 2:
        raise ValueError(f"a polygon has {len(value)} numbers, expected pairs of x, y")
    if len(value) < 6:
        raise ValueError(f"a polygon has {len(value) // 2} points, expected at least 3")
    if not all(abs(number) <= MAX_COORDINATE_PX for number in value):
        worst = next(number for number in value if not abs(number) <= MAX_COORDINATE_PX)
        raise ValueError(f"a polygon holds {worst!r}, expected coordinates within {MAX_COORDINATE_PX:.0f} px")
    return value


def edge_length(polygon: list[float]) -> float:
    """Length of a closed flat polygon in px, or a bound on it where that is small enough to be of no concern."""
    bound = 2 * len(polygon) * max(map(abs, polygon))
    if bound < MAX_EDGE_PX / 100:
        return bound
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, -1, axis=0)).sum())


def rle_of(segmentation: object, height: int, width: int) -> Rle:
    """The union of a segmentation's polygons, or its RLE, for an image of height x width. Raises `ValueError`."""
    if isinstance(segmentation, dict):
        return checked_rle(segmentation, height, width)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("segmentation is neither a list of polygons nor RLE")
    polygons = [checked_polygon(polygon) for polygon in segmentation]
    if sum(map(edge_length, polygons)) > MAX_EDGE_PX:
        raise ValueError(f"polygons are longer than {MAX_EDGE_PX:.0f} px")
    rles = coco_mask.frPyObjects(polygons, height, width)
    return dict(coco_mask.merge(rles) if len(rles) > 1 else rles[0])


def bbox_of(rle: Rle) -> list[float]:
    """x, y, width, height of an RLE in px."""
    return [float(side) for side in coco_mask.toBbox(rle)]


def area_of(rle: Rle) -> int:
    """Pixels of an RLE."""
    return int(coco_mask.area(rle))


def mask_of(rle: Rle) -> NDArray[np.uint8]:
    """mask_HW of 0 and 1."""
    return np.asarray(coco_mask.decode(rle), np.uint8)


def order_of(annotation: dict[str, Any]) -> float:
    """Sort key of the label rule: the largest `area` first, so that small objects win overlaps."""
    area = annotation.get("area", 0.0)
    return -float(area) if isinstance(area, int | float) and math.isfinite(area) else 0.0
