"""Probabilities such as a network gives, made from labels: soft edges, local doubt, now and then a wrong patch."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.data.masks import paint
from trashseg.io import read_image, read_json


def soft(truth_HW: NDArray[np.uint8], classes: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """probabilities_CHW: blurred labels and smooth noise as logits."""
    height, width = truth_HW.shape
    logits = [
        8 * cv2.GaussianBlur((truth_HW == label).astype(np.float32), (0, 0), 5)
        + 0.9
        * cv2.resize(rng.normal(0, 1, (32, 32)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for label in range(classes)
    ]
    powers_CHW = np.exp(np.stack(logits))
    return np.ascontiguousarray(powers_CHW / powers_CHW.sum(0), np.float32)


def soft_photos(
    folder: Path, count: int, classes: int = 11, seed: int = 0
) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """(probabilities_CHW, image_HWC) of `count` labelled photos of trash_real, drawn at random."""
    coco = read_json(folder / "train_all.json")
    rng = np.random.default_rng(seed)
    pairs = []
    for index in rng.choice(len(coco["images"]), count, replace=False):
        row = coco["images"][index]
        annotations = [a for a in coco["annotations"] if a["image_id"] == row["id"]]
        truth_HW = paint(annotations, [], row["height"], row["width"])
        pairs.append((soft(truth_HW, classes, rng), read_image(folder / row["file_name"])))
    return pairs
