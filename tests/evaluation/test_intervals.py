"""Intervals cover what they claim, pairs are compared on the same draws, groups move together."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg.evaluation.confusion import mean_iou
from trashseg.evaluation.intervals import Interval, compare, group_counts, miou_interval


def images(count: int, right: float, seed: int = 0) -> NDArray[np.int64]:
    """`count` two-class images of 1,000 pixels, each right in about `right` of them."""
    rng = np.random.default_rng(seed)
    hits = rng.binomial(500, np.clip(rng.normal(right, 0.05, (count, 2)), 0, 1))
    confusions = np.zeros((count, 2, 2), np.int64)
    confusions[:, 0, 0], confusions[:, 1, 1] = hits.T
    confusions[:, 0, 1], confusions[:, 1, 0] = 500 - hits.T
    return confusions


def test_the_value_is_the_score_of_all_images_and_lies_in_its_interval() -> None:
    confusions = images(40, 0.8)
    found = miou_interval(confusions, np.random.default_rng(1))
    assert found.value == pytest.approx(mean_iou(confusions.sum(0)))
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.1


def test_more_images_make_the_interval_narrower() -> None:
    few = miou_interval(images(10, 0.8), np.random.default_rng(1))
    many = miou_interval(images(400, 0.8), np.random.default_rng(1))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_near_duplicates_count_once() -> None:
    confusions = images(10, 0.8)
    copies, groups = np.repeat(confusions, 20, axis=0), np.repeat(np.arange(10), 20).tolist()
    alone = miou_interval(confusions, np.random.default_rng(1))
    together = miou_interval(copies, np.random.default_rng(1), groups)
    assert together.as_list() == pytest.approx(alone.as_list())


def test_a_small_but_steady_gain_is_seen_where_intervals_of_the_systems_overlap() -> None:
    a = images(60, 0.8)
    b = a.copy()
    b[:, 0, 0] += 4
    b[:, 0, 1] -= 4
    comparison = compare(a, b, np.random.default_rng(1))
    assert not comparison.gain.includes_zero()
    assert comparison.gain.low > 0
    assert comparison.p_value < 0.01


def test_no_difference_has_no_significance() -> None:
    comparison = compare(images(60, 0.8, seed=1), images(60, 0.8, seed=2), np.random.default_rng(1))
    assert comparison.gain.includes_zero()
    assert comparison.p_value > 0.05
    same = compare(images(9, 0.8), images(9, 0.8), np.random.default_rng(1))
    assert same.gain == Interval(0, 0, 0)
    assert same.p_value == 1


def test_the_same_generator_gives_the_same_interval() -> None:
    confusions = images(10, 0.7)
    assert miou_interval(confusions, np.random.default_rng(3)) == miou_interval(confusions, np.random.default_rng(3))


def test_groups_are_summed_in_the_order_they_appear() -> None:
    summed, index = group_counts(images(3, 0.5), ["b", "a", "b"])
    np.testing.assert_array_equal(index, [0, 1, 0])
    np.testing.assert_array_equal(summed[0], images(3, 0.5)[[0, 2]].sum(0))


def test_other_images_are_refused_and_none_at_all_is_no_score() -> None:
    with pytest.raises(ValueError, match="3 and 4 images"):
        compare(images(3, 0.5), images(4, 0.5), np.random.default_rng(0))
    nothing = np.zeros((0, 2, 2), np.int64)
    assert np.isnan(miou_interval(nothing, np.random.default_rng(0)).value)
    assert compare(nothing, nothing, np.random.default_rng(0)).gain.includes_zero()
