"""Instance maps: painted as pycocotools fills, back to RLE exactly, agreeing with any mask."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from trashseg.classes import VOID
from trashseg.data.instance_map import ignored_annotations, instance_annotations, match_mask, paint_instances
from trashseg.data.instances import count, empty_map, kept, look_up, shifted, widened
from trashseg.data.masks import paint

SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


def box(category: int, x: int, y: int, w: int, h: int) -> dict[str, Any]:
    polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
    return {"category_id": category, "segmentation": [polygon], "area": w * h}


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, SIZES, elements=st.integers(0, 6)))
def test_map_to_annotations_and_back(instances_HW: NDArray[np.uint8]) -> None:
    classes_I = np.array([0, 3, 1, 1, 2, 9, 4], np.uint8)
    annotations = instance_annotations(instances_HW, classes_I)
    assert [a["area"] for a in annotations] == [n for n in np.bincount(instances_HW.ravel(), minlength=7)[1:] if n]
    np.testing.assert_array_equal(paint(annotations, (), *instances_HW.shape), classes_I[instances_HW])
    for annotation in annotations:
        rle = {**annotation["segmentation"], "counts": annotation["segmentation"]["counts"].encode()}
        assert coco_mask.area(rle) == annotation["area"]
        assert list(coco_mask.toBbox(rle)) == annotation["bbox"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_map_agrees_with_any_mask(data: st.DataObject) -> None:
    instances_HW = data.draw(hnp.arrays(np.uint8, SIZES, elements=st.integers(0, 3)))
    values = st.sampled_from([0, 1, 2, 5, VOID])
    mask_HW = data.draw(hnp.arrays(np.uint8, instances_HW.shape, elements=values))
    matched_HW, classes_I = match_mask(instances_HW, np.array([0, 1, 2, 2], np.uint8), mask_HW)
    np.testing.assert_array_equal(classes_I[matched_HW], np.where(mask_HW == VOID, 0, mask_HW))
    again = paint(instance_annotations(matched_HW, classes_I), ignored_annotations(mask_HW), *mask_HW.shape)
    np.testing.assert_array_equal(again, mask_HW)


def test_small_objects_win_overlaps() -> None:
    instances_HW, classes_I = paint_instances([box(2, 1, 1, 2, 2), box(1, 0, 0, 6, 6)], 6, 6)
    assert instances_HW[1, 1] == 2 and instances_HW[5, 5] == 1
    assert classes_I.tolist() == [0, 1, 2]
    assert instances_HW.dtype == np.uint8


def test_hundreds_of_objects_take_a_wider_map() -> None:
    annotations = [box(1 + i % 3, i % 20, i // 20, 1, 1) for i in range(300)]
    instances_HW, classes_I = paint_instances(annotations, 20, 20)
    assert instances_HW.dtype == np.uint16
    assert len(np.unique(instances_HW)) == 301
    np.testing.assert_array_equal(classes_I[instances_HW], paint(annotations, (), 20, 20))
    assert len(instance_annotations(instances_HW, classes_I)) == 300


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_both_widths_count_and_look_up_alike(dtype: type) -> None:
    instances_HW = np.array([[0, 1, 2], [2, 2, 3]], dtype)
    assert count(instances_HW, 3).tolist() == [1, 1, 3, 1]
    assert count(instances_HW, 3, np.array([[0, 0, 1], [1, 0, 1]], np.uint8)).tolist() == [0, 0, 2, 1]
    assert look_up(np.array([0, 7, 8, 9], np.uint8), instances_HW).tolist() == [[0, 7, 8], [8, 8, 9]]
    assert kept(instances_HW, np.array([False, True, False, True])).tolist() == [[0, 1, 0], [0, 0, 3]]
    assert shifted(instances_HW, 5, 7).tolist() == [[0, 5, 6], [6, 6, 7]]
    assert shifted(instances_HW, 300, 302).max() == 302


def test_maps_widen_only_when_they_must() -> None:
    narrow = empty_map(2, 2, 255)
    assert narrow.dtype == np.uint8 and widened(narrow, 255) is narrow
    assert widened(narrow, 256).dtype == empty_map(2, 2, 256).dtype == np.uint16
