"""Pixels of each class and image, as the masks stage counted them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.io import read_json


def reported_pixels(report: Path, image_ids: list[int]) -> NDArray[np.int64]:
    """Counts from the report.json of the masks, (N, C) in the order of `image_ids`; ignored pixels count for none."""
    value = read_json(report)
    try:
        pixels_of = {row["image_id"]: row["pixels"] for row in value["images"]}
        return np.array([pixels_of[image] for image in image_ids], np.int64).reshape(len(image_ids), -1)
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{report}: expected {{images: [{{image_id, pixels}}]}} with every labelled image") from None
