"""Schedules: where they begin, turn and end."""

import pytest

from trashseg.errors import InputError
from trashseg.models.schedulers import SCHEDULES, build_schedule


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_stay_within_bounds(name: str) -> None:
    factor = build_schedule(name, steps=100, warmup_steps=10)
    assert all(0 <= factor(step) <= 1 for step in range(101))
    assert factor(0) < factor(9) < 1


def test_shapes() -> None:
    assert build_schedule("cosine", 100)(50) == pytest.approx(0.5)
    assert build_schedule("poly", 100)(50) == pytest.approx(0.5**0.9)
    assert build_schedule("cosine", 100)(100) == pytest.approx(0)
    restarts = build_schedule("cosine-restarts", 700)
    assert restarts(99) < 0.01 and restarts(100) == pytest.approx(0.7) and restarts(300) == pytest.approx(0.49)
    one_cycle = build_schedule("one_cycle", 1000)
    assert one_cycle(300) == pytest.approx(1) and one_cycle(0) == pytest.approx(0.04)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'cosine'"):
        build_schedule("cosin", 10)
