"""Labels to index masks: annotations painted largest first, exactly as pycocotools fills them.

A mask holds class indices, 0 where nothing is labelled and 255 (`VOID`) where
the label is to be ignored.
"""

from collections.abc import Iterable
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.data.rle import decode_all
from trashseg.data.segmentation import order_of, rle_of

CRACK_SHARE = 0.4
"""A background pixel is a crack if less than this share of its 3x3 neighbourhood is background."""


class Canvas:
    """Room to paint masks of one size: fresh memory for each would cost as much as the painting."""

    def __init__(self, height: int, width: int) -> None:
        self.columns = bytearray(height * width)
        self.columns_WH: NDArray[np.uint8] = np.frombuffer(self.columns, np.uint8).reshape(width, height)
        self.mask_HW: NDArray[np.uint8] = np.empty((height, width), np.uint8)

    def paint(
        self,
        annotations: Iterable[dict[str, Any]],
        ignored: Iterable[dict[str, Any]],
        crowd: Literal["paint", "ignore"] = "paint",
    ) -> NDArray[np.uint8]:
        """As the function `paint`; the mask is valid until the next one is painted."""
        layers = [
            (row, VOID if crowd == "ignore" and row.get("iscrowd") else row["category_id"]) for row in annotations
        ]
        layers += [(row, VOID) for row in ignored]
        layers.sort(key=lambda layer: order_of(layer[0]))
        rles = [rle_of(row["segmentation"], *self.mask_HW.shape) for row, _ in layers]
        self.columns_WH.fill(0)
        for counts, (_, value) in zip(decode_all([rle["counts"] for rle in rles]), layers, strict=True):
            _fill_runs(self.columns, counts, value)
        # OpenCV transposes several times faster than NumPy copies
        cv2.transpose(self.columns_WH, self.mask_HW)
        return self.mask_HW


def paint(
    annotations: Iterable[dict[str, Any]],
    ignored: Iterable[dict[str, Any]],
    height: int,
    width: int,
    crowd: Literal["paint", "ignore"] = "paint",
) -> NDArray[np.uint8]:
    """mask_HW of one image's annotations, whose `category_id` is a class index; `ignored` ones become 255.

    In order of `area`, largest first and ties in file order, so that small
    objects win overlaps. Raises `ValueError` for a segmentation that is unsound.
    """
    return Canvas(height, width).paint(annotations, ignored, crowd)


def _fill_runs(columns: bytearray, counts: NDArray[np.int64], value: int) -> None:
    """Set an RLE's pixels: run by run, several times as fast as decoding a mask and indexing with it."""
    ends = np.cumsum(counts).tolist()
    fill = bytearray([value]) * int(counts[1::2].max(initial=0))
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        columns[start:end] = fill[: end - start]


def repair_seams(mask_HW: NDArray[np.uint8], classes: int) -> tuple[NDArray[np.uint8], int]:
    """The mask with cracks between touching objects filled, and how many pixels were.

    A background pixel whose 3x3 neighbourhood is under 40 % background takes
    the commonest class around it (5x5, ties to the smaller index). 255 is
    neither background nor a class.
    """
    background = (mask_HW == 0).astype(np.uint8)
    count = cv2.boxFilter(background, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE)
    crack_HW = (background == 1) & (np.asarray(count) < CRACK_SHARE * 9)
    rows, columns = np.nonzero(crack_HW)
    if not len(rows):
        return mask_HW, 0
    padded = np.pad(mask_HW, 2, mode="edge")
    around_N25 = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))[rows, columns].reshape(-1, 25)
    votes_NC = np.stack([(around_N25 == value).sum(1) for value in range(1, classes)], 1)
    best = votes_NC.argmax(1)
    sure = votes_NC.max(1) > 0
    repaired = mask_HW.copy()
    repaired[rows[sure], columns[sure]] = (best + 1)[sure]
    return repaired, int(sure.sum())
