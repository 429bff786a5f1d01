"""RLE: our decoding agrees with pycocotools, and nothing unsound gets through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from trashseg.data.rle import checked_rle, decode_counts, encode, to_json

masks = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40), elements=st.integers(0, 1))


@settings(max_examples=60, deadline=None)
@given(masks)
def test_a_mask_survives_json(mask_HW):
    height, width = mask_HW.shape
    rle = checked_rle(to_json(encode(mask_HW)), height, width)
    assert (coco_mask.decode(rle) == mask_HW).all()


@settings(max_examples=60, deadline=None)
@given(masks)
def test_text_and_list_of_counts_agree(mask_HW):
    height, width = mask_HW.shape
    text = encode(mask_HW)["counts"]
    counts = decode_counts(text).tolist()
    assert sum(counts) == height * width
    assert checked_rle({"size": [height, width], "counts": counts}, height, width)["counts"] == text


def test_large_counts_are_decoded():
    mask_HW = np.zeros((3000, 2000), np.uint8)
    mask_HW[5:2000, 700:1500] = 1
    assert int(decode_counts(encode(mask_HW)["counts"])[1::2].sum()) == int(mask_HW.sum())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=30))
def test_any_bytes_are_decoded_or_refused(text):
    try:
        rle = checked_rle({"size": [7, 9], "counts": text}, 7, 9)
    except ValueError:
        return
    assert coco_mask.decode(rle).shape == (7, 9)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"size": [2, 3], "counts": [1, 2]}, "sum to 3, expected 2 x 3 = 6"),
        ({"size": [2, 3], "counts": [-1, 7]}, "negative"),
        ({"size": [3, 2], "counts": [6]}, "RLE size is"),
        ({"size": [2, 3], "counts": [float("nan")]}, "neither text nor"),
        ({"size": [2, 3], "counts": [2**40]}, "neither text nor"),
        ({"size": [2, 3], "counts": {"a": 1}}, "neither text nor"),
        ({"size": [2, 3], "counts": "éé"}, "sum to|characters|ends"),
        ({"size": [2, 3], "counts": "\x10"}, "characters outside"),
        ({"size": [2, 3], "counts": "ooooooooooo0"}, "32 bits"),
        ({"size": [2, 3], "counts": "o"}, "ends within"),
        ({"size": [2, 3], "counts": ""}, "sum to 0"),
        ({"counts": "6"}, "expected RLE"),
        ({"size": [2, 3], "count": [6]}, "expected RLE"),
        ({"size": 6, "counts": "6"}, "RLE size is 6"),
    ],
)
def test_unsound_rle_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        checked_rle(value, 2, 3)
