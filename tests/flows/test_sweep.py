"""The flow `sweep`: real trainings, pruned by the median, shown in MLflow, and gone on with after a kill."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from optuna.trial import TrialState

from flows.sweep_space import DEFAULT, Range, parse, setting
from tests.flows.conftest import REPOSITORY, Toy
from tests.tasks.test_train import NETWORK, TRAIN
from tests.training.conftest import SIZE, write_examples
from trashseg import paths
from trashseg.classes import CONTEST, write_classes
from trashseg.errors import InputError

GRAPH = """\
stages:
  folds:
    cmd: mkdir -p artifacts && cp -r drawn/folds artifacts/folds
    deps: [drawn/folds]
    outs: [artifacts/folds]
"""


def write_fold(root: Path) -> None:
    """A dataset of twelve photos with a box each, and its first fold, as the pipeline leaves them."""
    categories = [{"id": i, "name": name} for i, name in enumerate(CONTEST.names) if i]
    rows, annotations = [], []
    for example in write_examples(root / "photos", range(1, 13)):
        name = example.image.name
        (root / paths.DATASET / "images").mkdir(parents=True, exist_ok=True)
        shutil.copy(example.image, root / paths.DATASET / "images" / name)
        rows.append({"id": example.image_id, "file_name": name, "width": SIZE, "height": SIZE})
        box = [8, 8, 40, 8, 40, 40, 8, 40]
        one = {"id": example.image_id, "image_id": example.image_id, "category_id": 1, "segmentation": [box]}
        annotations.append({**one, "area": 1024, "bbox": [8, 8, 32, 32], "iscrowd": 0})
    write_classes(root / paths.DATASET / "classes.json", CONTEST)
    for part, chosen in (("train", rows[:8]), ("val", rows[8:])):
        ids = {row["id"] for row in chosen}
        coco = {"images": chosen, "categories": categories}
        coco["annotations"] = [each for each in annotations if each["image_id"] in ids]
        path = root / "drawn/folds" / f"kfold_0_{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(coco))


@pytest.fixture
def swept(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A checkout whose pipeline ends at the folds of a tiny dataset."""
    toy.write("dvc.yaml", GRAPH)
    write_fold(toy.folder)
    values = yaml.safe_load((REPOSITORY / "presets/sample.yaml").read_text())
    values |= {"networks": {"unet": NETWORK}, "train": {**TRAIN, "epochs": 2, "overlay_every": 0}}
    toy.write("params.yaml", yaml.safe_dump({**values, "data": {"source": "coco", "root": "source.txt"}}))
    monkeypatch.setenv("TRASHSEG_TRACKING", "on")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return toy


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.timeout(900)
def test_trials_show_in_mlflow_and_a_sweep_that_was_cut_off_goes_on(swept: Toy) -> None:
    from flows.sweep import STORE, open_study, sweep
    from trashseg.tracking.store import connect

    # what a killed sweep leaves: a trial that never ended
    left = open_study(STORE / "rates", "rates", 0)
    space = {"train.learning_rate": Range(low=1e-5, high=1e-2, log=True), "train.loss": ["ce", "ce+dice"]}
    left.ask().suggest_float("train.learning_rate", 1e-5, 1e-2, log=True)

    state = sweep(name="rates", trials=2, space=space, epochs=2, return_state=True)
    assert state.is_completed(), state.message
    assert state.message is not None and "--set 'train.loss=" in state.message and "fold [0]" in state.message
    told = json.loads(swept.read(".trashseg/sweeps/rates/sweep.json"))
    assert [row["state"] for row in told] == ["complete", "complete"]
    assert told[0]["miou"] >= told[1]["miou"]
    trials = open_study(STORE / "rates", "rates", 0).trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert trials[1].params["train.learning_rate"] == trials[0].params["train.learning_rate"]
    client, experiment = connect()
    runs = client.search_runs([experiment], "tags.kind = 'trial'")
    assert {run.info.status for run in runs} == {"FINISHED"} and len(runs) == 2
    assert all(len(client.get_metric_history(run.info.run_id, "val_miou")) == 2 for run in runs)
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs}
    assert [client.get_run(parent).data.tags["kind"] for parent in parents] == ["sweep"]
    assert not list((swept.folder / STORE / "rates").glob("trial-*"))  # no checkpoint is left behind

    more = sweep(name="rates", trials=3, space=space, epochs=1, return_state=True)
    assert more.is_completed() and "best of 3 trials" in (more.message or "")
    runs = client.search_runs([experiment], "tags.kind = 'trial'")
    assert len(runs) == 3 and {run.data.tags["mlflow.parentRunId"] for run in runs} == parents
    assert [client.get_run(parent).info.status for parent in parents] == ["FINISHED"]

    bad = sweep(name="bad", trials=1, space={"train.loss": ["focl"]}, return_state=True)
    assert bad.is_failed() and "did you mean 'focal'" in (bad.message or "")
    none = sweep(name="bad", trials=1, folds=[7], return_state=True)
    assert none.name == "BadInput" and "fold 7" in (none.message or "")


def test_a_trial_below_the_median_is_given_up(tmp_path: Path) -> None:
    from flows.sweep import STARTUP_TRIALS, Follower, open_study
    from trashseg.tracking.sweep import TrialRun

    study = open_study(tmp_path, "s", 0)
    lines = [json.dumps({"epoch": epoch, "val_miou": 0.5}) for epoch in range(3)]
    for _ in range(STARTUP_TRIALS):
        trial = study.ask()
        good = Follower(trial, TrialRun(None, "s", trial.number, {}, ()), 3, print)
        good.begin()
        assert all(good(line) for line in lines)
        study.tell(trial, good.score)
    worse = Follower(study.ask(), TrialRun(None, "s", 9, {}, ()), 3, print)
    worse.begin()
    assert worse("error: some words") and worse.words == "error: some words"
    assert [worse(line.replace("0.5", "0.1")) for line in lines[:2]] == [True, False]


def test_a_command_is_killed_where_it_is_given_up(tmp_path: Path) -> None:
    import os
    import sys
    import time

    from flows.sweep import follow

    code = "import time\nfor i in range(100): print(i, flush=True); time.sleep(0.2)"
    start, seen = time.monotonic(), []

    def take(line: str) -> bool:
        seen.append(line)
        return len(seen) < 3

    assert follow([sys.executable, "-c", code], tmp_path, dict(os.environ), take) is None
    assert seen == ["0", "1", "2"] and time.monotonic() - start < 15
    assert follow([sys.executable, "-c", "raise SystemExit(2)"], tmp_path, dict(os.environ), take) == 2


def test_what_is_varied_is_read_from_the_command_line() -> None:
    assert parse("train.learning_rate=1e-4..1e-2:log")[1] == Range(low=1e-4, high=1e-2, log=True)
    assert parse("train.batch_size=2..8")[1] == Range(low=2, high=8)
    assert parse("train.loss=ce,ce+dice") == ("train.loss", ["ce", "ce+dice"])
    assert parse("train.ema_decay=0,0.9") == ("train.ema_decay", [0, 0.9])
    assert setting("train.image_size", [64, 64]) == "train.image_size=[64, 64]"
    assert set(DEFAULT) == {"train.learning_rate", "train.loss", "train.balance_power"}


@pytest.mark.parametrize("text", ["train.loss", "refine.iterations=1,2", "train.learning_rate=2..1", "train.x=a..b"])
def test_what_cannot_be_varied_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"--vary "):
        parse(text)


def test_the_sweep_is_deployed() -> None:
    from flows.deploy import pools

    content = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    own = [entry for entry in content["deployments"] if entry["entrypoint"] == "flows/sweep.py:sweep"]
    assert [entry["work_pool"]["name"] for entry in own] == ["gpu"]
    assert "gpu" in pools(REPOSITORY / "prefect.yaml")
