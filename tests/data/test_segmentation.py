"""Segmentations: sound ones as pycocotools has them, unsound ones refused before it sees them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from trashseg.data.segmentation import area_of, bbox_of, mask_of, rle_of

SQUARE = [2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]


def test_parts_are_joined():
    other = [8.0, 0.0, 10.0, 0.0, 10.0, 3.0, 8.0, 3.0]
    both = mask_of(rle_of([SQUARE, other], 12, 12))
    apart = mask_of(rle_of([SQUARE], 12, 12)) | mask_of(rle_of([other], 12, 12))
    assert (both == apart).all()
    assert both.sum() == 16 + 6


def test_area_and_bbox():
    rle = rle_of([SQUARE], 12, 12)
    assert area_of(rle) == 16
    assert bbox_of(rle) == [2, 2, 4, 4]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-30, 60), min_size=6, max_size=24).filter(lambda numbers: len(numbers) % 2 == 0))
def test_polygons_are_pycocotools_own(polygon):
    expected = coco_mask.decode(coco_mask.frPyObjects([polygon], 32, 40))[:, :, 0]
    assert (mask_of(rle_of([polygon], 32, 40)) == expected).all()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([], "neither a list of polygons nor RLE"),
        (None, "neither a list of polygons nor RLE"),
        ("polygon", "neither a list of polygons nor RLE"),
        ([[]], "0 points"),
        ([[1, 1, 4, 4]], "2 points, expected at least 3"),
        ([[1, 1, 4, 4, 5]], "5 numbers"),
        ([[1, 1, 4, 4, 5, float("nan")]], "nan"),
        ([[1, 1, 4, 4, 5, float("inf")]], "inf"),
        ([[1, 1, 4, 4, 5, 1e300]], "1e"),
        ([[1, 1, 4, 4, 5, 10**400]], "100000 px"),
        ([[1, 1, 4, 4, 5, "6"]], "flat list of numbers"),
        ([[1, 1, 4, 4, 5, True]], "flat list of numbers"),
        ([1, 1, 4, 4, 5, 5], "flat list of numbers"),
        ([[[1, 1], [4, 4], [5, 1]]], "flat list of numbers"),
        ([[-1e5, -1e5, 1e5, 1e5] * 100], "longer than"),
        ({"counts": [1]}, "expected RLE"),
    ],
)
def test_unsound_segmentations_are_refused(segmentation, message):
    with pytest.raises(ValueError, match=message):
        rle_of(segmentation, 12, 12)


def test_mask_dtype_and_shape():
    mask_HW = mask_of(rle_of([SQUARE], 9, 14))
    assert mask_HW.shape == (9, 14)
    assert mask_HW.dtype == np.uint8
