"""parallel_map: order, any number of jobs, errors. Workers import functions by name, so these are the library's."""

import operator
from functools import partial

import pytest

from trashseg.errors import InputError
from trashseg.io import read_json, write_json
from trashseg.parallel import parallel_map


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_are_in_order_for_any_number_of_jobs(jobs):
    items = range(100)
    assert parallel_map(partial(operator.mul, 2), items, jobs, "test") == [2 * item for item in items]


def test_every_core_once_it_pays(monkeypatch):
    monkeypatch.setattr("trashseg.parallel.ALONE_S", 0.0)
    monkeypatch.setattr("trashseg.parallel.WORTH_S", 0.0)
    assert parallel_map(partial(operator.mul, 2), range(100), 0, "test") == [2 * item for item in range(100)]
    monkeypatch.setattr("trashseg.parallel.ALONE_S", 60.0)
    assert parallel_map(lambda item: item, range(5), 0, "test") == [0, 1, 2, 3, 4], "a lambda cannot go to a worker"


def test_no_items_give_no_results():
    assert parallel_map(partial(operator.mul, 2), [], 0, "test") == []


def test_an_error_in_a_worker_reaches_the_caller(tmp_path):
    write_json(tmp_path / "here.json", [])
    paths = [tmp_path / "here.json", tmp_path / "gone.json"]
    with pytest.raises(InputError, match=r"gone\.json: no such file"):
        parallel_map(read_json, paths, 2, "test")
