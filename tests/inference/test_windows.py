from itertools import pairwise

import numpy as np
import pytest

from trashseg.inference.windows import corners, gaussian_weights, starts


@pytest.mark.parametrize("length", [1, 31, 32, 33, 64, 100, 1000])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.9])
def test_windows_cover_every_pixel_and_overlap_enough(length: int, overlap: float) -> None:
    window = 32
    begins = starts(length, window, overlap)
    seen = np.zeros(length, int)
    for begin in begins:
        seen[begin : begin + window] += 1
        assert begin == 0 or begin + window <= length
    assert seen.min() >= 1
    assert all(b - a <= max(1, window * (1 - overlap)) for a, b in pairwise(begins))


def test_corners_are_rows_of_columns() -> None:
    assert corners((4, 6), (4, 4), 0.5) == [(0, 0), (0, 2)]


def test_weights_are_highest_in_the_middle_and_never_nothing() -> None:
    weights_HW = gaussian_weights((8, 12))
    assert weights_HW.shape == (8, 12) and weights_HW.dtype == np.float32
    assert weights_HW.min() > 0.01 and weights_HW[3:5, 5:7].min() == pytest.approx(weights_HW.max())
    np.testing.assert_allclose(weights_HW, weights_HW[::-1, ::-1])
