"""Edges, object sizes and calibration: counts that add up, and mean what they say."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.evaluation.boundary import boundary_counts, boundary_iou, inner_band
from trashseg.evaluation.calibration import calibration_counts, calibration_error, calibration_rows
from trashseg.evaluation.objects import by_size, object_counts


def square(size: int, side: int = 100, shift: int = 0) -> NDArray[np.uint8]:
    """A square of class 1 in the middle, `shift` px to the right."""
    mask_HW = np.zeros((side, side), np.uint8)
    first = (side - size) // 2
    mask_HW[first : first + size, first + shift : first + shift + size] = 1
    return mask_HW


def test_the_band_is_the_rim_of_a_region_and_the_images_border_counts() -> None:
    np.testing.assert_array_equal(inner_band(np.ones((5, 5), np.uint8), 1).sum(), 16)
    assert inner_band(square(10, 20), 2).sum() == 10**2 - 6**2


def test_a_shift_costs_more_at_the_boundary_than_inside() -> None:
    truth_HW, moved_HW = square(60), square(60, shift=3)
    counts = boundary_counts(truth_HW, moved_HW, 3)
    ious = boundary_iou(counts)
    assert np.isnan(ious[2])
    assert ious[1] < 0.5 < np.mean(truth_HW == moved_HW)
    np.testing.assert_array_equal(boundary_iou(boundary_counts(truth_HW, truth_HW, 3))[:2], [1, 1])


def test_cropping_to_the_classes_gives_what_the_whole_image_gives() -> None:
    rng = np.random.default_rng(0)
    truth_HW = np.kron(rng.integers(0, 4, (6, 5)), np.ones((20, 20))).astype(np.uint8)
    guess_HW = np.kron(rng.integers(0, 4, (6, 5)), np.ones((20, 20))).astype(np.uint8)
    found = boundary_counts(truth_HW, guess_HW, 4)
    for label in range(4):
        bands = [inner_band((m == label).astype(np.uint8), 3) for m in (truth_HW, guess_HW)]
        assert found[label].tolist() == [(bands[0] & bands[1]).sum(), (bands[0] | bands[1]).sum()]


def test_unlabelled_pixels_count_nowhere() -> None:
    truth_HW = np.full((20, 20), VOID, np.uint8)
    assert not boundary_counts(truth_HW, square(10, 20), 2).any()
    assert not object_counts(truth_HW, square(10, 20)).any()


def test_objects_are_counted_by_their_size_and_found_by_half() -> None:
    truth_HW = np.zeros((100, 100), np.uint8)
    truth_HW[:5, :5] = 1  # 0.25 %
    truth_HW[50:70, 50:70] = 2  # 4 %
    prediction_HW = truth_HW.copy()
    prediction_HW[50:70, 50:65] = 0
    told = by_size(object_counts(truth_HW, prediction_HW))
    assert told["small"] == {"objects": 1, "found": 1, "covered": 1}
    assert told["medium"] == {"objects": 1, "found": 0, "covered": 0.25}
    assert told["large"] == {"objects": 0, "found": None, "covered": None}


def test_calibration_compares_probability_with_how_often_it_is_right() -> None:
    probabilities_CHW = np.stack([np.full((10, 10), 0.8), np.full((10, 10), 0.2)]).astype(np.float32)
    truth_HW = np.zeros((10, 10), np.uint8)
    truth_HW[:4] = 1
    counts = calibration_counts(truth_HW, probabilities_CHW)
    (row,) = calibration_rows(counts)
    assert row["accuracy"] == pytest.approx(0.6)
    assert row["confidence"] == pytest.approx(0.8)
    assert calibration_error(counts) == pytest.approx(0.2, abs=1e-6)
    assert calibration_error(np.zeros((20, 3))) is None
