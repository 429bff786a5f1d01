"""The outline of a mask as COCO polygons that pycocotools fills to the very same pixels.

Outlines run along pixel edges, not through pixel centres, so nothing is lost.
A hole is joined to the outline around it by a bridge walked there and back,
whose two passes cancel wherever polygons are filled by the even-odd rule, as
pycocotools does. Vertices are the corners of the mask; on each row, and in
each column, corners pair up to edges, and walking the pairs gives the loops.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Loop = NDArray[np.int64]
"""Corners (N, 2) of x, y in px, without the closing one."""


def polygons_of(mask_HW: NDArray[np.uint8], tolerance_px: float = 0.0) -> list[list[float]]:
    """Flat x, y polygons of a mask of 0 and 1: one per 4-connected part, holes bridged in.

    With `tolerance_px` 0 they are exact; above, corners are dropped where the
    outline moves by no more than that (Douglas-Peucker), for smaller files.
    """
    parts, holes = _sorted_loops(mask_HW)
    polygons = []
    for label, outer in parts.items():
        outline = _simplified(outer, tolerance_px)
        for hole in holes.get(label, []):
            outline = _bridged(outline, _simplified(hole, tolerance_px))
        polygons.append([float(number) for number in outline.ravel()])
    return polygons


def loops_of(mask_HW: NDArray[np.uint8]) -> list[Loop]:
    """The closed loops between a mask's 0 and 1, the inside on the right of the walk."""
    x, y, falling = _corners(mask_HW)
    count = len(x)
    by_row = np.lexsort((np.arange(count), x, y))
    by_column = np.lexsort((np.where(falling, -np.arange(count), np.arange(count)), y, x))
    across, down = np.empty(count, np.int64), np.empty(count, np.int64)
    across[by_row[::2]], across[by_row[1::2]] = by_row[1::2], by_row[::2]
    down[by_column[::2]], down[by_column[1::2]] = by_column[1::2], by_column[::2]
    points = np.stack([x, y], 1)
    return [points[walk] for walk in _walks(across.tolist(), down.tolist())]


def _corners(mask_HW: NDArray[np.uint8]) -> tuple[Loop, Loop, NDArray[np.bool_]]:
    """Lattice points where the outline turns, in reading order; where two parts touch by a corner, the point twice.

    The third array tells a touching pair that falls to the left (upper right
    and lower left are inside): there the upper edge meets the right one.
    """
    padded = np.pad(mask_HW, 1).astype(np.int8)
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    odd = (upper_left ^ upper_right ^ lower_left ^ lower_right) == 1
    touching = (upper_left == lower_right) & (upper_right == lower_left) & (upper_left != upper_right)
    y, x = np.nonzero(odd | touching)
    twice = touching[y, x]
    falling = twice & (upper_right[y, x] == 1)
    repeats = np.where(twice, 2, 1)
    return np.repeat(x, repeats), np.repeat(y, repeats), np.repeat(falling, repeats)


def _walks(across: list[int], down: list[int]) -> list[list[int]]:
    """Loops of corner numbers, edges across and down by turns."""
    seen = bytearray(len(across))
    walks = []
    for start in range(len(across)):
        if seen[start]:
            continue
        walk, corner = [], start
        while not seen[corner]:
            mate = across[corner]
            seen[corner] = seen[mate] = 1
            walk += [corner, mate]
            corner = down[mate]
        walks.append(walk)
    return walks


def _sorted_loops(mask_HW: NDArray[np.uint8]) -> tuple[dict[int, Loop], dict[int, list[Loop]]]:
    """Outer loops by the number of their part, and the holes of each part."""
    labels_HW = np.pad(np.asarray(cv2.connectedComponents(mask_HW, connectivity=4)[1]), 1)
    parts: dict[int, Loop] = {}
    holes: dict[int, list[Loop]] = {}
    for loop in loops_of(mask_HW):
        # a walk starts at its uppermost, leftmost corner: right below it lies the part, or the hole
        x, y = loop[0]
        if below := int(labels_HW[y + 1, x + 1]):
            parts[below] = loop
        else:
            holes.setdefault(int(labels_HW[y, x + 1]), []).append(loop)
    return parts, holes


def _simplified(loop: Loop, tolerance_px: float) -> Loop:
    if tolerance_px <= 0:
        return loop
    fewer = cv2.approxPolyDP(loop.astype(np.int32)[:, None], tolerance_px, closed=True)[:, 0]
    return np.asarray(fewer, np.int64) if len(fewer) >= 3 else loop


def _bridged(outline: Loop, hole: Loop) -> Loop:
    """One loop: the outline, over to its nearest corner of the hole, around the hole, and back."""
    from_hole = hole[0]
    at = int(np.abs(outline - from_hole).sum(1).argmin())
    return np.concatenate([outline[: at + 1], hole, hole[:1], outline[at:]])
