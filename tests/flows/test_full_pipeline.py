"""The flow on toy graphs: outcomes, failures, edits while it runs."""

from pathlib import Path

import pytest
from prefect.exceptions import FailedRun

from flows.full_pipeline import full_pipeline
from tests.flows.conftest import Toy

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toy graphs have nothing that MLflow could show."""
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")


def test_first_run_reproduces_second_finds_nothing_and_dvc_agrees(toy: Toy) -> None:
    assert set(full_pipeline().values()) == {"Reproduced"}
    assert full_pipeline() == dict.fromkeys(["dataset", "train@0", "train@1", "ensemble"], "Cached")
    assert "up to date" in toy.dvc("status")
    assert toy.trained == 2


def test_after_dvc_the_flow_finds_nothing_to_do(toy: Toy) -> None:
    toy.dvc("repro")
    assert set(full_pipeline().values()) == {"Cached"}


def test_going_back_restores_instead_of_training(toy: Toy) -> None:
    full_pipeline()
    first = toy.read("artifacts/ensemble")
    toy.seed(2)
    outcomes = full_pipeline()
    assert outcomes["dataset"] == "Cached" and outcomes["train@0"] == "Reproduced"
    toy.seed(1)
    assert full_pipeline()["train@0"] == "Restored"
    assert toy.trained == 4 and toy.read("artifacts/ensemble") == first


def test_a_lost_output_is_restored(toy: Toy) -> None:
    full_pipeline()
    (toy.folder / "artifacts/train/0").unlink()
    outcomes = full_pipeline()
    assert outcomes["train@0"] == "Restored" and outcomes["ensemble"] == "Cached" and toy.trained == 2


def test_an_upstream_that_gives_the_same_bytes_stops_there(toy: Toy) -> None:
    full_pipeline()
    toy.write("dvc.yaml", toy.read("dvc.yaml").replace("cp source.txt", "cp  source.txt"))
    outcomes = full_pipeline()
    assert outcomes.pop("dataset") == "Reproduced" and set(outcomes.values()) == {"Cached"}


def test_a_failed_stage_shows_its_lines_and_its_downstream_does_not_run(toy: Toy) -> None:
    full_pipeline()
    before = toy.read("artifacts/ensemble"), toy.read("artifacts/train/0")
    toy.seed(13)
    with pytest.raises(FailedRun, match="not run, because they need it: ensemble") as failed:
        full_pipeline()
    assert "train@0 failed; its last lines:" in str(failed.value) and "seed is bad" in str(failed.value)
    assert (toy.read("artifacts/ensemble"), toy.read("artifacts/train/0")) == before


def test_a_first_run_that_fails_leaves_nothing_half_written(toy: Toy) -> None:
    broken = "mkdir artifacts/train; echo half > artifacts/train/0; sys.exit('broken')".replace("mkdir", "# mkdir")
    toy.write(
        "train.py", f"import pathlib, sys\npathlib.Path(sys.argv[3]).write_text('half')\nsys.exit('broken') # {broken}"
    )
    with pytest.raises(FailedRun):
        full_pipeline()
    assert not (toy.folder / "artifacts/train/0").exists()


def test_code_edited_while_a_stage_runs_fails_it_and_is_not_recorded(toy: Toy) -> None:
    edit = "open('train.py', 'a').write('# edited\\n')\n"
    toy.write("train.py", toy.read("train.py") + f"if fold == '0' and seed == 1: {edit}")
    with pytest.raises(FailedRun, match=r"train.py was edited while the stage ran"):
        full_pipeline()
    toy.seed(2)
    trained = toy.trained
    toy.write("train.py", toy.read("train.py").replace("if fold == '0'", "if fold == 'never'"))
    assert full_pipeline()["train@0"] == "Reproduced" and toy.trained == trained + 2


def test_it_stops_where_it_is_told(toy: Toy) -> None:
    assert set(full_pipeline(until=["train@0"])) == {"dataset", "train@0"}
    assert not Path("artifacts/ensemble").exists()
