"""True masks of test images, painted from their annotations by the rule that paints training masks."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trashseg.data.masks import paint
from trashseg.errors import InputError

Truths = Mapping[int, Callable[[], NDArray[np.uint8]]]
"""Image id -> a function that gives its truth_HW."""


def painted(labels: Mapping[str, Any], path: Path, crowd: Literal["paint", "ignore"] = "paint") -> Truths:
    """The true mask of each image of a COCO document, painted when asked for; `path` names it in errors."""
    images = {int(row["id"]): row for row in labels["images"]}
    if not images:
        raise InputError(f"{path}: no images, expected the labels of the test images or null")
    known: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in images}
    ignored: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in images}
    for row in labels["annotations"]:
        known[row["image_id"]].append(row)
    for row in labels.get("ignored_annotations", []):
        ignored[row["image_id"]].append(row)
    return {
        image_id: partial(paint, known[image_id], ignored[image_id], row["height"], row["width"], crowd)
        for image_id, row in images.items()
    }
