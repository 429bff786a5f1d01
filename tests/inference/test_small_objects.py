"""Objects the CRF lost come back where all members see them, and only there."""

import numpy as np
from numpy.typing import NDArray

from trashseg.inference.small_objects import keep_agreed, lost_objects


def before() -> NDArray[np.uint8]:
    """A 3x3 object of class 2, a 10x10 one of class 1."""
    mask_HW = np.zeros((30, 30), np.uint8)
    mask_HW[2:5, 2:5] = 2
    mask_HW[10:20, 10:20] = 1
    return mask_HW


def test_lost_objects_are_those_mostly_gone_and_small() -> None:
    after_HW = np.zeros((30, 30), np.uint8)
    assert [label for label, _ in lost_objects(before(), after_HW, 9)] == [2]
    assert [label for label, _ in lost_objects(before(), after_HW, 100)] == [1, 2]
    after_HW[2:5, 2:4] = 2
    assert lost_objects(before(), after_HW, 9) == []


def test_an_object_that_all_members_see_is_put_back() -> None:
    after_HW = np.zeros((30, 30), np.uint8)
    kept_HW = keep_agreed(before(), after_HW, lambda: [before(), before()], 9)
    assert (kept_HW == 2).sum() == 9
    assert (kept_HW == 1).sum() == 0
    assert not after_HW.any()


def test_one_member_against_is_enough_to_let_go() -> None:
    after_HW = np.zeros((30, 30), np.uint8)
    assert not keep_agreed(before(), after_HW, lambda: [before(), after_HW], 9).any()


def test_members_are_not_read_where_nothing_was_lost() -> None:
    def members() -> list[NDArray[np.uint8]]:
        raise AssertionError

    np.testing.assert_array_equal(keep_agreed(before(), before(), members, 100), before())
    np.testing.assert_array_equal(keep_agreed(before(), np.zeros((30, 30), np.uint8), members, 0), 0)
