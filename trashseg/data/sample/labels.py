"""The COCO label of a drawn object: polygons, or RLE where it has holes."""

from typing import Any

import numpy as np

from trashseg.data.rle import encode, to_json
from trashseg.data.sample.outlines import Outline, Points
from trashseg.data.segmentation import area_of, bbox_of, mask_of, rle_of


def annotate(outline: Outline, side_px: int, dx: float, dy: float) -> dict[str, Any]:
    """`segmentation`, `area`, `bbox`, `iscrowd` of an outline in a picture whose camera moved by -dx, -dy px."""
    move = np.array([dx, dy])
    parts = [_clipped(part + move, side_px) for part in outline.parts]
    segmentation: Any = parts
    rle = rle_of(parts, side_px, side_px)
    if outline.holes:
        holes = rle_of([_clipped(hole + move, side_px) for hole in outline.holes], side_px, side_px)
        rle = encode(mask_of(rle) & ~mask_of(holes))
        segmentation = to_json(rle)
    return {"segmentation": segmentation, "area": area_of(rle), "bbox": bbox_of(rle), "iscrowd": 0}


def _clipped(points: Points, side_px: int) -> list[float]:
    """x, y, x, y ... within the picture, to hundredths of a pixel; outlines are dense enough to be clamped."""
    return [float(number) for number in np.round(np.clip(points, 0, side_px), 2).ravel()]
