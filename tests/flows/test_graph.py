"""DVC's graph, its state in words, and forgetting a run."""

import pytest

from flows.graph import fingerprint, forget, read_plan, selection
from tests.flows.conftest import Toy
from trashseg.errors import InputError


def test_stages_come_upstream_first_with_what_they_wait_for(toy: Toy) -> None:
    plan = read_plan()
    names = [stage.name for stage in plan.stages]
    assert names[0] == "dataset" and names[-1] == "ensemble"
    by_name = {stage.name: stage for stage in plan.stages}
    assert by_name["train@1"].upstream == ("dataset",)
    assert by_name["ensemble"].upstream == ("train@0", "train@1")


def test_a_stage_knows_its_code_its_pool_and_its_tags(toy: Toy) -> None:
    train = next(stage for stage in read_plan().stages if stage.name == "train@0")
    assert train.code == ("train.py",)
    assert (train.pool, train.retries, train.timeout_hours) == ("gpu", 1, 1.0)
    assert train.kind == "train" and train.tags == ["train", "0"]
    assert set(fingerprint(train)) == {"train.py"}


def test_reasons_name_the_changed_file_and_parameter(toy: Toy) -> None:
    toy.dvc("repro")
    assert not read_plan().reasons
    toy.seed(2)
    toy.write("source.txt", "more photos\n")
    reasons = read_plan().reasons
    assert reasons["train@0"] == ("seed in params.yaml is modified",)
    assert reasons["dataset"] == ("source.txt is modified",)


def test_selection_takes_a_stage_and_all_it_needs(toy: Toy) -> None:
    stages = read_plan().stages
    assert {stage.name for stage in selection(stages, ["train@1"])} == {"dataset", "train@1"}
    assert len(selection(stages, [])) == 4
    with pytest.raises(InputError, match=r"no stage 'trian' .did you mean 'train'"):
        selection(stages, ["trian"])


def test_a_broken_graph_is_one_sentence(toy: Toy) -> None:
    toy.write("dvc.yaml", "stages: [not, a, mapping]\n")
    with pytest.raises(InputError, match=r"dvc\.yaml"):
        read_plan()


def test_a_forgotten_run_runs_again(toy: Toy) -> None:
    toy.dvc("repro")
    assert toy.trained == 2
    forget("train@0")
    assert "train@0" in read_plan().reasons
    toy.dvc("repro")
    assert toy.trained == 3
