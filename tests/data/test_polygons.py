"""Polygons of a mask: pycocotools fills them to the same pixels, holes and parts included."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from trashseg.data.polygons import polygons_of
from trashseg.data.segmentation import mask_of, rle_of

masks = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14), elements=st.integers(0, 1))


def filled(polygons, shape):
    return mask_of(rle_of(polygons, *shape)) if polygons else np.zeros(shape, np.uint8)


@settings(max_examples=300, deadline=None)
@given(masks)
def test_any_mask_comes_back_exactly(mask_HW):
    assert (filled(polygons_of(mask_HW), mask_HW.shape) == mask_HW).all()


def test_a_square_has_four_corners():
    mask_HW = np.zeros((8, 8), np.uint8)
    mask_HW[2:5, 1:7] = 1
    (polygon,) = polygons_of(mask_HW)
    assert sorted(zip(polygon[::2], polygon[1::2], strict=True)) == [(1, 2), (1, 5), (7, 2), (7, 5)]


def test_parts_are_polygons_of_their_own():
    mask_HW = np.zeros((6, 6), np.uint8)
    mask_HW[:2, :2] = mask_HW[2:4, 2:4] = mask_HW[5, 5] = 1
    assert len(polygons_of(mask_HW)) == 3


def test_an_island_in_a_hole():
    mask_HW = np.ones((11, 11), np.uint8)
    mask_HW[2:9, 2:9] = 0
    mask_HW[4:7, 4:7] = 1
    mask_HW[5, 5] = 0
    polygons = polygons_of(mask_HW)
    assert len(polygons) == 2
    assert (filled(polygons, (11, 11)) == mask_HW).all()


def blobs(seed, side=200):
    noise = np.random.default_rng(seed).random((12, 12), np.float32)
    return (cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC) > 0.55).astype(np.uint8)


@pytest.mark.parametrize("tolerance_px", [1.0, 2.0])
def test_tolerance_shrinks_the_file_and_moves_edges_no_further(tolerance_px):
    mask_HW = blobs(0)
    exact, rough = polygons_of(mask_HW), polygons_of(mask_HW, tolerance_px)
    assert sum(map(len, rough)) < sum(map(len, exact)) / 2
    wrong_HW = (filled(rough, mask_HW.shape) != mask_HW).astype(np.uint8)
    edge_HW = cv2.morphologyEx(mask_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(1 - edge_HW, cv2.DIST_L2, 5)
    assert distance[wrong_HW == 1].max() <= tolerance_px


def test_large_blobs_come_back_exactly():
    mask_HW = blobs(1, 512)
    assert (filled(polygons_of(mask_HW), mask_HW.shape) == mask_HW).all()
