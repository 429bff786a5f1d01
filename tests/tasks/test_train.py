"""The stage train, for real on tiny data: resumed after a kill, handed on, mixed, refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tasks import train
from tests.training.conftest import write_pipeline, write_pseudo_labels
from trashseg import paths
from trashseg.errors import InputError
from trashseg.io import read_json, write_json
from trashseg.lineage import Lineage, write_lineage
from trashseg.models.config import NetworkConfig
from trashseg.models.model_folder import load_model
from trashseg.training.config import AugmentConfig, TrainConfig

NETWORK = {
    "architecture": "unet",
    "encoder": "tu-tf_mobilenetv3_small_minimal_100",
    "encoder_weights": None,
    "options": {"decoder_channels": [32, 16, 16, 8, 8]},
}
TRAIN = {
    "image_size": [32, 32],
    "epochs": 3,
    "student_epochs": 1,
    "batch_size": 4,
    "learning_rate": 3e-3,
    "ema_decay": 0.5,
    "threads": 1,
}
BYTES = ("weights.safetensors", "last.safetensors", "model.json", "history.csv", "metrics.json")


def run(round_id: str, teacher: str, **changes: object) -> None:
    """The stage of fold 0 in the working folder."""
    config = TrainConfig.model_validate({**TRAIN, **changes})
    train.run(round_id, teacher, "unet", 0, 7, NetworkConfig.model_validate(NETWORK), config, AugmentConfig())


def content(root: Path) -> dict[str, bytes]:
    """The files of the first round's model folder."""
    folder = root / paths.train("r0", "unet", 0)
    return {name: (folder / name).read_bytes() for name in BYTES}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose first round is trained on fold 0."""
    root = tmp_path_factory.mktemp("pipeline")
    write_pipeline(root)
    params = {"seed": 7, "networks": {"unet": NETWORK}, "train": TRAIN}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("TRASHSEG_TRACKING", "off")
        run("r0", "none")
    return root


@pytest.fixture
def work(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(trained, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    return tmp_path / "work"


def test_the_model_folder_is_whole(trained: Path) -> None:
    folder = trained / paths.train("r0", "unet", 0)
    network, description = load_model(folder)
    assert network.classes == 11 and description.image_size == (32, 32)
    assert description.training["images"] == {"labelled": 6}
    history = (folder / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,train_loss,val_loss,val_miou,val_miou_256,lr" and len(history) == 4
    scores = read_json(folder / "metrics.json")
    best = max(float(line.split(",")[3]) for line in history[1:])
    assert scores["miou"] == pytest.approx(best)
    assert "Battery" in scores["absent_classes"] and scores["per_class"]["Battery"] is None
    assert sum(map(sum, scores["confusion"])) == 6 * 62 * 64  # every validation pixel but the two rows of 255
    assert not list((trained / ".trashseg/checkpoints").iterdir())


def test_killed_at_any_moment_and_run_again_it_ends_with_the_same_bytes(trained: Path, work: Path) -> None:
    shutil.rmtree(work / paths.train("r0", "unet", 0))
    command = [
        sys.executable,
        "-m",
        "tasks.train",
        "--round",
        "r0",
        "--teacher",
        "none",
        "--model",
        "unet",
        "--fold",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(train.__file__).parents[1])}
    process = subprocess.Popen(command, env=environment)
    while not list(work.glob(".trashseg/checkpoints/*/last.ckpt")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (work / paths.train("r0", "unet", 0)).exists()
    run("r0", "none")
    assert content(work) == content(trained)


@pytest.mark.parametrize("changes", [{"soup": 3, "epochs": 4}, {"patience": 1, "epochs": 6, "learning_rate": 1e-9}])
def test_killed_again_and_again_it_ends_with_the_same_bytes(work: Path, changes: dict[str, object]) -> None:
    """A fork for each life: killed at another moment each time, before, in and behind the writing of a checkpoint."""
    run("r0", "none", **changes)
    expected = content(work)
    shutil.rmtree(work / paths.train("r0", "unet", 0))
    ends = []
    for delay_s in (0.0, 0.002, 0.01, 0.03, 0.08, 0.2, 0.5, 60.0, 60.0):
        ends.append(one_life(work, delay_s, changes))
        if ends[-1] == 0:
            break
    assert ends[-1] == 0 and -signal.SIGKILL in ends
    assert content(work) == expected
    assert not list((work / ".trashseg/checkpoints").iterdir())


def one_life(work: Path, delay_s: float, changes: dict[str, object]) -> int:
    """Train in a fork until `delay_s` behind its next checkpoint, then kill it; gives how it ended."""
    before = stamps(work)
    child = os.fork()
    if child == 0:
        try:
            run("r0", "none", **changes)
        finally:
            os._exit(0 if (work / paths.train("r0", "unet", 0) / "metrics.json").is_file() else 1)
    while stamps(work) == before and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.0005)
    deadline = time.monotonic() + delay_s
    while time.monotonic() < deadline and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stamps(work: Path) -> list[int]:
    """When each checkpoint was last written."""
    return [path.stat().st_mtime_ns for path in work.glob(".trashseg/checkpoints/*/last.ckpt")]


def test_loading_processes_change_no_byte(trained: Path, work: Path) -> None:
    run("r0", "none", workers=2)
    kept = content(work)
    assert kept == content(trained)


def test_a_declined_round_passes_the_teachers_model_on(work: Path) -> None:
    write_pseudo_labels(work, "r1", 0, accepted=False, ids=[])
    run("r1", "r0")
    teacher, student = work / paths.train("r0", "unet", 0), work / paths.train("r1", "unet", 0)
    assert (teacher / "weights.safetensors").read_bytes() == (student / "weights.safetensors").read_bytes()
    told = read_json(student / "model.json")["training"]
    assert told["passed_on_from"] == "r0" and told["reason"] == "because"


def test_a_later_round_adds_pseudo_labels_and_starts_from_its_teacher(work: Path) -> None:
    write_pseudo_labels(work, "r1", 0, accepted=True, ids=[100, 101])
    images = work / paths.DATASET / "images"
    for image_id in (100, 101):
        shutil.copy(images / "0.png", images / f"{image_id}.png")
    for fold_file in ("test.json",):
        value = read_json(work / paths.DATASET / fold_file)
        for row in value["images"]:
            row["file_name"] = f"{row['id']}.png"
        write_json(work / paths.DATASET / fold_file, value)
    run("r1", "r0", learning_rate=1e-9, ema_decay=0)
    folder = work / paths.train("r1", "unet", 0)
    assert read_json(folder / "model.json")["training"]["images"] == {"labelled": 6, "pseudo_label": 2}
    student, _ = load_model(folder)
    teacher, _ = load_model(work / paths.train("r0", "unet", 0))
    for mine, other in zip(student.parameters(), teacher.parameters(), strict=True):
        assert (mine - other).abs().max() < 1e-5


def test_a_set_that_leaks_is_refused_by_name(work: Path) -> None:
    folder = work / paths.copy_paste(0)
    write_json(folder / "annotations.json", {"images": [{"id": 500, "file_name": "500.png"}]})
    write_lineage(folder / "lineage.json", Lineage(0, {500: (1, 2)}))  # image 2 is held out in fold 0
    with pytest.raises(InputError, match=r"copy_paste.*image 500 .*image 2"):
        run("r0", "none")
    write_lineage(folder / "lineage.json", Lineage(0, {}))
    with pytest.raises(InputError, match="image 500 has no sources"):
        run("r0", "none")


def test_an_empty_fold_is_refused(work: Path) -> None:
    write_json(work / paths.FOLDS / "kfold_0_val.json", {"images": []})
    with pytest.raises(InputError, match=r"kfold_0_val\.json: no image found"):
        run("r0", "none")


def test_a_loss_that_is_no_number_stops_the_training(work: Path) -> None:
    with pytest.raises(InputError, match="the loss is not finite"):
        run("r0", "none", learning_rate=1e30, clip_norm=0, optimizer="sgd", ema_decay=0)
    assert content(work)  # the model that was there is still whole


def test_a_size_that_the_stride_does_not_divide_is_refused(work: Path) -> None:
    with pytest.raises(InputError, match="48x40 is not a multiple of the stride 32"):
        run("r0", "none", image_size=[48, 40])


def test_a_class_that_the_dataset_does_not_have_is_refused(work: Path) -> None:
    names = read_json(work / paths.DATASET / "classes.json")
    write_json(work / paths.DATASET / "classes.json", names[:2])
    with pytest.raises(InputError, match=r"class \d found, expected 0\.\.1 or 255"):
        run("r0", "none")


def test_an_unknown_network_offers_the_nearest(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--round", "r0", "--teacher", "none", "--model", "unnet", "--fold", "0"])
    with pytest.raises(InputError, match="did you mean 'unet'"):
        train.main()
