"""Counts are exact, VOID is not counted, absent classes are left out."""

import numpy as np
import pytest

from trashseg.classes import VOID
from trashseg.evaluation.confusion import confusion_matrix, iou_per_class, mean_iou, mean_ious, pixel_accuracy


def test_rows_are_the_truth_and_columns_the_prediction() -> None:
    truth_HW = np.array([[0, 0, 1], [2, 2, VOID]], np.uint8)
    prediction_HW = np.array([[0, 1, 1], [2, 0, 2]], np.uint8)
    np.testing.assert_array_equal(confusion_matrix(truth_HW, prediction_HW, 3), [[1, 1, 0], [0, 1, 0], [1, 0, 1]])


def test_counts_equal_a_pixel_by_pixel_loop() -> None:
    rng = np.random.default_rng(0)
    truth_HW = rng.integers(0, 5, (23, 31)).astype(np.uint8)
    prediction_HW = rng.integers(0, 5, (23, 31)).astype(np.uint8)
    truth_HW[:3] = VOID
    expected = np.zeros((5, 5), np.int64)
    for t, p in zip(truth_HW.flat, prediction_HW.flat, strict=True):
        if t != VOID:
            expected[t, p] += 1
    found = confusion_matrix(truth_HW, prediction_HW, 5)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


def test_absent_classes_have_no_score_and_do_not_move_the_mean() -> None:
    confusion = np.array([[3, 1, 0], [1, 3, 0], [0, 0, 0]])
    np.testing.assert_allclose(iou_per_class(confusion), [0.6, 0.6, np.nan])
    assert mean_iou(confusion) == pytest.approx(0.6)


def test_a_class_predicted_but_not_there_scores_zero() -> None:
    confusion = np.array([[3, 1], [0, 0]])
    assert mean_iou(confusion) == pytest.approx((0.75 + 0) / 2)


def test_a_stack_is_scored_matrix_by_matrix() -> None:
    stack = np.array([[[2, 0], [0, 2]], [[1, 1], [1, 1]], [[0, 0], [0, 0]]])
    np.testing.assert_allclose(mean_ious(stack), [1, 1 / 3, np.nan])


def test_accuracy_is_the_share_of_right_pixels() -> None:
    assert pixel_accuracy(np.array([[3, 1], [0, 4]])) == pytest.approx(7 / 8)
    assert np.isnan(pixel_accuracy(np.zeros((2, 2), np.int64)))


@pytest.mark.parametrize(("truth", "prediction"), [(3, 0), (0, 3), (0, VOID)])
def test_values_of_no_class_are_refused(truth: int, prediction: int) -> None:
    with pytest.raises(ValueError, match=r"expected 0\.\.2"):
        confusion_matrix(np.array([truth], np.uint8), np.array([prediction], np.uint8), 3)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        confusion_matrix(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 2)
