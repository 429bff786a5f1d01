"""One training shared by two processes over gloo, as torchrun starts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.tasks.test_train import NETWORK, TRAIN
from tests.training.conftest import write_pipeline
from trashseg import paths
from trashseg.io import read_json
from trashseg.models.model_folder import load_model

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_two_processes_train_one_model_and_score_every_image_once(tmp_path: Path) -> None:
    write_pipeline(tmp_path)
    # EfficientNet has parameters that no loss reaches, which plain DDP does not survive
    network = {**NETWORK, "encoder": "efficientnet-b0"}
    params = {"seed": 7, "networks": {"unet": network}, "train": {**TRAIN, "epochs": 2, "soup": 2}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "tasks.train", "--round", "r0", "--teacher", "none", "--model", "unet", "--fold", "0"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TRASHSEG_TRACKING": "off", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    folder = tmp_path / paths.train("r0", "unet", 0)
    load_model(folder)
    scores = read_json(folder / "metrics.json")
    assert sum(map(sum, scores["confusion"])) == 6 * 62 * 64
    assert len(scores["soup"]["tried"]) == 2
    assert len((folder / "history.csv").read_text().splitlines()) == 3
    assert done.stderr.count("epoch 2/2") == 1  # the first process alone tells
    assert not list((tmp_path / ".trashseg/checkpoints").iterdir())
