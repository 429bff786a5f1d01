"""Masks: the paint order, ignored pixels, seams, and pycocotools' pixels exactly."""

import numpy as np
import pytest
from pycocotools.coco import COCO

from trashseg.data.coco import load_coco
from trashseg.data.masks import paint, repair_seams


def square(left, top, side, category, **extra):
    right, bottom = left + side, top + side
    polygon = [left, top, right, top, right, bottom, left, bottom]
    return {"segmentation": [polygon], "area": side * side, "category_id": category, **extra}


def test_small_objects_win_overlaps_whatever_the_order():
    large, small = square(0, 0, 8, 1), square(2, 2, 3, 2)
    for order in ([large, small], [small, large]):
        mask_HW = paint(order, [], 10, 10)
        assert np.bincount(mask_HW.ravel()).tolist() == [100 - 64, 64 - 9, 9]


def test_of_equal_areas_the_later_wins():
    assert (paint([square(0, 0, 4, 1), square(0, 0, 4, 2)], [], 4, 4) == 2).all()


def test_ignored_and_crowd_become_255():
    crowd = square(6, 6, 2, 3, iscrowd=1)
    mask_HW = paint([square(0, 0, 4, 1), crowd], [square(4, 0, 3, 9)], 8, 8, crowd="ignore")
    assert (mask_HW == 255).sum() == 9 + 4
    assert (paint([crowd], [], 8, 8) == 3).sum() == 4


def test_a_hole_in_an_rle_stays_background():
    ring = np.ones((6, 6), np.uint8)
    ring[2:4, 2:4] = 0
    counts = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], ring.ravel(order="F"), [2]]))))
    annotation = {"segmentation": {"size": [6, 6], "counts": [0, *counts.tolist()]}, "area": 32, "category_id": 5}
    assert (paint([annotation], [], 6, 6) == 5 * ring).all()


def reference(coco, image_id):
    """The label rule, written with pycocotools alone."""
    image = coco.imgs[image_id]
    mask_HW = np.zeros((image["height"], image["width"]), np.uint8)
    for annotation in sorted(coco.imgToAnns[image_id], key=lambda row: row["area"], reverse=True):
        mask_HW[coco.annToMask(annotation) == 1] = annotation["category_id"]
    return mask_HW


@pytest.mark.parametrize("name", ["trash_real/train_all.json", "taco/taco_11cls_512_noimages.json"])
def test_real_polygons_are_painted_as_pycocotools_fills_them(real_data, name, capsys):
    path = real_data / name
    ours, theirs = load_coco(path), COCO(str(path))
    for image in ours.images[::9]:
        try:
            mask_HW = paint(ours.annotations_of[image["id"]], [], image["height"], image["width"])
        except ValueError:
            continue  # TACO has polygons of two points, which pycocotools takes for boxes
        assert (mask_HW == reference(theirs, image["id"])).all(), image["id"]


def test_a_one_pixel_seam_is_filled_with_the_commonest_neighbour():
    mask_HW = np.full((9, 9), 1, np.uint8)
    mask_HW[:, 4] = 0
    mask_HW[:, 5:] = 2
    repaired, count = repair_seams(mask_HW, 3)
    assert count == 9
    assert (repaired[:, 4] == 1).all()
    assert (repaired[:, [0, 3, 5, 8]] == mask_HW[:, [0, 3, 5, 8]]).all()


def test_seam_repair_leaves_open_ground_and_ignored_pixels():
    mask_HW = np.zeros((9, 9), np.uint8)
    mask_HW[:3, :3] = 1
    mask_HW[6:, 6:] = 255
    repaired, count = repair_seams(mask_HW, 2)
    assert count == 0
    assert (repaired == mask_HW).all()


def test_a_pixel_amid_ignored_ones_has_no_class_to_take():
    mask_HW = np.full((5, 5), 255, np.uint8)
    mask_HW[2, 2] = 0
    repaired, count = repair_seams(mask_HW, 3)
    assert count == 0
    assert repaired[2, 2] == 0
