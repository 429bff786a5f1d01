"""What a split looks at: for each image its group, its annotations and its pixels per class, as arrays.

Axes: N images, C classes (0 is Background), G groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError

NOT_ANNOTATED = 0
"""The rarest class of an image without annotations: Background."""


@dataclass(frozen=True)
class SplitTable:
    """One row per labelled image, in the order of `image_ids`."""

    image_ids: tuple[int, ...]
    groups_N: NDArray[np.int64]
    """Group of each image, 0..G-1."""
    annotations_NC: NDArray[np.int64]
    """Annotations of each class."""
    pixels_NC: NDArray[np.int64]
    """Mask pixels of each class; ignored pixels count for none."""

    @property
    def group_count(self) -> int:
        """G."""
        return int(self.groups_N.max()) + 1 if len(self.groups_N) else 0

    @property
    def present_NC(self) -> NDArray[np.bool_]:
        """Whether an image shows a class at all."""
        return self.pixels_NC > 0

    def per_group(self, values_NF: NDArray[Any]) -> NDArray[np.float64]:
        """Rows summed over each group, (G, F)."""
        sums_GF = np.zeros((self.group_count, values_NF.shape[1]))
        np.add.at(sums_GF, self.groups_N, values_NF)
        return sums_GF


def group_codes(images: Sequence[Mapping[str, Any]], group_by: str | None) -> NDArray[np.int64]:
    """A group number per image; images without the key, or with null there, are groups of their own.

    `InputError` where not one image has the key.
    """
    if group_by is None:
        return np.arange(len(images))
    if images and all(row.get(group_by) is None for row in images):
        keys = ", ".join(repr(key) for key in images[0])
        raise InputError(f"split.group_by: no image row has the key {group_by!r}; expected one of {keys}, or null")
    codes: dict[object, int] = {}
    labels = (row.get(group_by) for row in images)
    named = ((("key", str(label)) if label is not None else ("image", at)) for at, label in enumerate(labels))
    return np.array([codes.setdefault(name, len(codes)) for name in named], np.int64)


def split_table(coco: Mapping[str, Any], pixels_NC: NDArray[np.int64], group_by: str | None) -> SplitTable:
    """The table of a checked COCO document; `pixels_NC` has a row per image, in the document's order."""
    row_of = {row["id"]: at for at, row in enumerate(coco["images"])}
    annotations_NC = np.zeros(pixels_NC.shape, np.int64)
    for annotation in coco["annotations"]:
        annotations_NC[row_of[annotation["image_id"]], annotation["category_id"]] += 1
    return SplitTable(tuple(row_of), group_codes(coco["images"], group_by), annotations_NC, pixels_NC)


def rarest_class(annotations_NC: NDArray[np.int64]) -> NDArray[np.int64]:
    """Per image the class it holds that has the fewest annotations overall; `NOT_ANNOTATED` where it holds none."""
    totals_C = annotations_NC.sum(axis=0)
    rarity_NC = np.where(annotations_NC > 0, totals_C, np.iinfo(np.int64).max)
    rarest_N: NDArray[np.int64] = np.where(annotations_NC.any(axis=1), rarity_NC.argmin(axis=1), NOT_ANNOTATED)
    return rarest_N


def one_hot(values_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indicators of the values that occur, one column each."""
    return np.asarray(values_N[:, None] == np.unique(values_N)[None, :], np.int64)


def three_labels(annotations_NC: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indicators of an image's rarest class, number of distinct classes and number of annotations, (N, L) of 0 and 1.

    Both numbers are binned (0, 1, 2-3, 4-7, ...): iterative stratification takes indicators only.
    """
    distinct_N = (annotations_NC > 0).sum(axis=1)
    count_N = annotations_NC.sum(axis=1)
    binned = [np.ceil(np.log2(numbers_N + 1)).astype(np.int64) for numbers_N in (distinct_N, count_N)]
    return np.concatenate([one_hot(values_N) for values_N in (rarest_class(annotations_NC), *binned)], axis=1)
