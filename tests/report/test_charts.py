"""SVG charts."""

import math
import re

import pytest

from trashseg.report.charts import Series, lines, ring, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 0.6, [0, 0.2, 0.4, 0.6]),
        (3, 3, [3, 4]),
        (0, 97, [0, 25, 50, 75, 100]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_lines_break_at_gaps() -> None:
    svg = lines([Series("fold 0", [0, 1, 2, 3], [0.1, math.nan, 0.3, 0.2])], "mIoU", "epoch")
    assert re.search(r'd="M[\d. ]+M[\d. ]+L[\d. ]+"', svg)
    assert "<title>fold 0</title>" in svg


def test_lines_without_a_finite_value_are_no_chart() -> None:
    assert lines([Series("a", [0], [math.nan])], "t", "epoch") == ""
    assert lines([], "t", "epoch") == ""


def test_single_epoch_is_drawn_inside_the_frame() -> None:
    svg = lines([Series("a", [0], [0.5])], "t", "epoch", zero=True)
    assert "nan" not in svg and "M38.0" in svg


def test_ring_escapes_and_clips() -> None:
    svg = ring(1.7, "<1>")
    assert "&lt;1&gt;" in svg
    assert 'stroke-dasharray="326.7 326.7"' in svg
