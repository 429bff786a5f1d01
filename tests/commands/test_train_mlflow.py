"""`trashseg train --mlflow URI`: a real store shows all of it, and a training that goes on continues its run."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking.client import MlflowClient

from tests.commands.test_train import SMALL, files, own  # noqa: F401 (fixtures)
from tests.tracking.conftest import migrated  # noqa: F401 (a fixture)
from trashseg.commands.train import train
from trashseg.errors import InputError
from trashseg.tracking.provenance import digest

BASE: dict[str, Any] = {
    "model": "unet",
    "encoder": "tu-tf_mobilenetv3_small_minimal_100",
    "epochs": 3,
    "batch_size": 2,
    "image_size": 32,
    "out": Path("mine"),
    "set_": [*SMALL, "train.overlay_every=2"],
}


@pytest.fixture
def store(files: dict[str, Path], migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    """A store in a folder of its own; the environment names another, and switches tracking off."""
    (tmp_path / "store").mkdir()
    shutil.copy(migrated, tmp_path / "store/mlflow.db")
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    return f"sqlite:///{tmp_path / 'store/mlflow.db'}"


def runs(store: str) -> list[Run]:
    """All runs of a store, the newest first."""
    client = MlflowClient(store)
    return list(client.search_runs([each.experiment_id for each in client.search_experiments()]))


def steps(store: str, run: Run, name: str) -> list[int]:
    """The epochs that a figure was logged for."""
    return sorted(metric.step for metric in MlflowClient(store).get_metric_history(run.info.run_id, name))


def test_everything_of_a_training_is_in_the_store(files: dict[str, Path], store: str, tmp_path: Path) -> None:  # noqa: F811
    train(**files, **BASE, seed=3, mlflow=store)
    [run] = runs(store)
    assert run.info.status == "FINISHED" and run.info.run_name == "train mine"
    told = {"train.epochs": "3", "network.architecture": "unet", "augment.horizontal_flip": "0.5", "seed": "3"}
    assert told.items() <= run.data.params.items()
    assert run.data.params["train_json"] == "train.json" and run.data.params["images"] == "photos"
    figures = ("train_loss", "val_loss", "val_miou", "val_miou_256", "lr", "images_per_s", "memory_mb", "iou/Can")
    assert {name: steps(store, run, name) for name in figures} == {name: [0, 1, 2] for name in figures}
    assert {"best_miou", "best_iou/Can", "best_iou/Bag", "best_iou/Background"} <= run.data.metrics.keys()
    client = MlflowClient(store)
    there = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert there == {"confusion.svg", "overlays", "history.csv", "metrics.json", "model.json"}
    shown = [item.path for item in client.list_artifacts(run.info.run_id, "overlays")]
    assert shown == ["overlays/epoch_0002.png", "overlays/epoch_0003.png"]
    [dataset] = run.inputs.dataset_inputs
    assert dataset.dataset.digest == digest([files["train_json"], files["val_json"]])
    # files lie beside the database; nothing of it is left in the environment or the working folder
    assert (tmp_path / "store/mlartifacts").is_dir() and not Path("mlartifacts").exists()
    assert os.environ["TRASHSEG_TRACKING"] == "off" and os.environ["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:9"


def test_killed_and_run_again_it_continues_its_run(files: dict[str, Path], store: str) -> None:  # noqa: F811
    given = {**BASE, "epochs": 12, "mlflow": store}
    child = os.fork()
    if child == 0:
        try:
            train(**files, **given)
        finally:
            os._exit(1)
    while not list(Path(".trashseg/checkpoints").glob("*/last.ckpt")):
        assert os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    [cut_off] = runs(store)
    assert cut_off.info.status == "RUNNING"
    train(**files, **given)
    [run] = runs(store)
    assert run.info.run_id == cut_off.info.run_id and run.info.status == "FINISHED"
    assert steps(store, run, "train_loss") == list(range(12))
    train(**files, **{**given, "epochs": 1})
    assert len(runs(store)) == 2, "another training has a run of its own"


def test_a_store_that_is_away_costs_a_warning(files: dict[str, Path], store: str) -> None:  # noqa: F811
    with pytest.warns(UserWarning, match=r"/proc/nowhere/mlflow.db: training train mine was not tracked"):
        train(**files, **{**BASE, "epochs": 1}, mlflow="sqlite:////proc/nowhere/mlflow.db")
    assert Path("mine/weights.safetensors").is_file() and runs(store) == []


@pytest.mark.parametrize("uri", ["mlflow.db", "sqlite://mlflow", "htp://127.0.0.1:5000", ""])
def test_what_is_no_store_is_refused_before_anything_is_trained(files: dict[str, Path], uri: str) -> None:  # noqa: F811
    with pytest.raises(InputError, match="expected one such as sqlite:///mlflow"):
        train(**files, **BASE, mlflow=uri)
    assert not Path("mine").exists()
