"""Masks to COCO and back: exact as RLE and as polygons, ids fresh, objects apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from trashseg.classes import named
from trashseg.data.coco import Coco
from trashseg.data.masks import paint
from trashseg.data.to_coco import annotations_of_mask, masks_to_coco, objects_of
from trashseg.errors import InputError
from trashseg.io import write_mask

NAMES = ["a.png", "b.png"]
CLASSES = named(("Background", "A", "B"))
masks = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=16), elements=st.integers(0, 2))


@settings(max_examples=100, deadline=None)
@given(masks, st.sampled_from(["rle", "polygon"]), st.booleans())
def test_painting_the_annotations_gives_the_mask(mask_HW, form, whole_classes):
    rows = list(annotations_of_mask(mask_HW, form, whole_classes=whole_classes))
    assert (paint(rows, [], *mask_HW.shape) == mask_HW).all()
    assert sum(row["area"] for row in rows) == (mask_HW > 0).sum()


def test_objects_are_8_connected_and_of_one_class():
    mask_HW = np.array([[1, 0, 2, 2], [0, 1, 0, 2], [0, 0, 0, 0], [1, 255, 255, 0]], np.uint8)
    objects_HW, classes = objects_of(mask_HW)
    assert classes == [1, 1, 2]
    assert objects_HW[0, 0] == objects_HW[1, 1] != objects_HW[3, 0]
    assert objects_HW[3, 1] == 0, "ignored pixels are no object"
    assert objects_of(mask_HW, whole_classes=True)[1] == [1, 2]


def test_boxes_and_small_objects():
    mask_HW = np.zeros((9, 12), np.uint8)
    mask_HW[2:5, 3:10] = 1
    mask_HW[8, 0] = 2
    (row,) = annotations_of_mask(mask_HW, min_area_px=2)
    assert row["bbox"] == [3, 2, 7, 3]
    assert row["area"] == 21


@pytest.fixture
def paths(tmp_path):
    mask_HW = np.zeros((10, 12), np.uint8)
    mask_HW[1:4, 1:4], mask_HW[6:, 6:] = 1, 2
    for name in ("a", "b"):
        write_mask(tmp_path / f"{name}.png", mask_HW, CLASSES.palette())
    return [tmp_path / "a.png", tmp_path / "b.png"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_self_makes_a_file_of_its_own(paths, jobs):
    coco, error = masks_to_coco(paths, ["photos/a.jpg", "b.png"], CLASSES, jobs=jobs)
    assert [(row["id"], row["file_name"]) for row in coco.images] == [(1, "photos/a.jpg"), (2, "b.png")]
    assert [(row["id"], row["image_id"], row["category_id"]) for row in coco.annotations] == [
        (1, 1, 1),
        (2, 1, 2),
        (3, 2, 1),
        (4, 2, 2),
    ]
    assert error == 0


def test_add_appends_with_fresh_ids_and_the_main_files_categories(paths):
    main = Coco(
        [{"id": 40, "file_name": "x.jpg", "width": 4, "height": 4}],
        [{"id": 900, "image_id": 40, "category_id": 7}],
        [{"id": 7, "name": "B"}, {"id": 3, "name": "A"}],
    )
    coco, _ = masks_to_coco(paths, NAMES, CLASSES, main=main)
    assert [row["id"] for row in coco.images] == [40, 41, 42]
    assert [(row["id"], row["category_id"]) for row in coco.annotations] == [
        (900, 7),
        (901, 3),
        (902, 7),
        (903, 3),
        (904, 7),
    ]
    with pytest.raises(InputError, match=r"a\.png: an image 'x\.jpg' is there already"):
        masks_to_coco(paths, ["x.jpg", "b.png"], CLASSES, main=main)


def test_the_worst_error_of_rough_polygons_is_stated(paths):
    _, exact = masks_to_coco(paths, NAMES, CLASSES, form="polygon")
    _, rough = masks_to_coco(paths, NAMES, CLASSES, form="polygon", tolerance_px=4)
    assert exact == 0
    assert rough >= 0


def test_an_unknown_class_is_named(paths):
    with pytest.raises(InputError, match=r"a\.png: holds class 2, expected 0 to 1"):
        masks_to_coco(paths, NAMES, named(("Background", "A")))
