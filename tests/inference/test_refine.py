"""Parameters come from other folds, doubt means off, and the search looks at every fold."""

import numpy as np
from numpy.typing import NDArray

from trashseg.evaluation.intervals import Comparison, Interval
from trashseg.inference.refine import OFF, best, cross_fit, crossed, search_ids, verdict

FOLDS = [0, 0, 1, 1]


def confusions(right: list[list[int]]) -> NDArray[np.int64]:
    """(K, N, 2, 2): of 10 pixels of either class, how many each candidate has right on each image."""
    hits = np.array(right)
    return np.stack([np.stack([hits, 10 - hits], -1), np.stack([10 - hits, hits], -1)], -2)


def test_each_fold_takes_what_is_best_on_the_others() -> None:
    scores = confusions([[5, 5, 5, 5], [9, 9, 1, 1], [2, 2, 8, 8]])
    choice = cross_fit(scores, FOLDS)
    assert choice.by_fold == {0: 2, 1: 1}
    np.testing.assert_array_equal(crossed(scores, FOLDS, choice)[:, 0, 0], [2, 2, 1, 1])


def test_off_wins_ties() -> None:
    assert best(confusions([[5, 5], [5, 5]])) == OFF
    assert best(confusions([[5, 5], [5, 6]])) == 1


def test_without_off_the_best_of_the_others_is_taken() -> None:
    scores = confusions([[9, 9, 9, 9], [2, 2, 3, 3], [4, 4, 1, 1]])
    assert cross_fit(scores, FOLDS).overall == OFF
    choice = cross_fit(scores, FOLDS, first=1)
    assert (choice.overall, choice.by_fold) == (1, {0: 1, 1: 2})


def test_all_folds_take_part_in_the_search() -> None:
    ids = {0: list(range(100)), 1: list(range(100, 150)), 2: [200]}
    picked = search_ids(ids, 30)
    assert len(picked) <= 31
    assert picked == sorted(picked)
    assert all(set(picked) & set(members) for members in ids.values())
    assert search_ids(ids, 1000) == [*range(150), 200]


def test_doubt_means_off_and_the_reason_says_so() -> None:
    sure = Comparison(Interval(0.02, 0.01, 0.03), 0.001)
    doubtful = Comparison(Interval(0.02, -0.01, 0.05), 0.2)
    assert verdict(sure, 1)[0]
    on, reason = verdict(doubtful, 1)
    assert not on
    assert "may as well be none (+0.0200 mIoU out of fold, interval -0.0100 to +0.0500)" in reason
    assert not verdict(sure, OFF)[0]
    assert verdict(doubtful, 1, always=True)[0]
