"""A real MLflow store for each test: one SQLite file is migrated once and copied."""

import json
import os
import shutil
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated MLflow database."""
    from mlflow.tracking.client import MlflowClient

    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def checkout(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with params.yaml and an empty store; tracking is on."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    (tmp_path / "params.yaml").write_text("seed: 0\ntrain: {epochs: 3, loss: ce}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRASHSEG_TRACKING", "on")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("TRASHSEG_PARENT_RUN", raising=False)
    return tmp_path


@pytest.fixture
def model_folder(checkout: Path) -> Path:
    """A finished training of three epochs."""
    folder = checkout / "artifacts/train/r0/unet/0"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch,train_loss,val_miou,lr\n0,1.0,0.1,0.01\n1,0.5,0.2,0.01\n2,0.4,,0.01\n")
    per_class = {"Paper": 0.4, "Glass & (old)": 0.1, "Metal": None}
    (folder / "metrics.json").write_text(
        json.dumps({"miou": 0.2, "miou_256": 0.19, "epoch": 1, "per_class": per_class})
    )
    (folder / "model.json").write_text(json.dumps({"architecture": "Unet", "normalisation": {"mean": [1, 2]}}))
    (folder / "weights.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def evaluation(checkout: Path) -> Path:
    """A round's evaluation with known test labels."""
    folder = checkout / "artifacts/evaluate/r0"
    for part, shift in (("oof", 0.0), ("test", -0.05)):
        (folder / part).mkdir(parents=True)
        steps = [
            {"step": step, "miou": miou + shift, "miou_256": miou + shift, "interval": [miou - 0.1, miou + 0.1]}
            | {"per_class": {"Paper": miou, "Metal": None}}
            for step, miou in (("member unet/0", 0.5), ("unet folds", 0.52), ("ensemble", 0.55), ("crf", 0.56))
        ]
        (folder / part / "metrics.json").write_text(json.dumps({"round": "r0", "known": True, "steps": steps}))
        (folder / part / "confusion.csv").write_text("truth,Paper,Metal\nPaper,9,1\nMetal,0,4\n")
    return folder
