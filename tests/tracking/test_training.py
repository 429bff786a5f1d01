"""Runs of trainings: live, resumed, replayed, in parallel, and with a store that fails."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trashseg import tracking
from trashseg.classes import named, write_classes
from trashseg.io import read_image
from trashseg.tracking.live import read_history
from trashseg.tracking.provenance import tracked_hash
from trashseg.tracking.store import connect
from trashseg.training.module import Answer


def _run(run_id: str | None):
    assert run_id is not None
    return connect()[0].get_run(run_id)


def test_live_training_is_logged_and_not_replayed(checkout: Path, model_folder: Path) -> None:
    write_classes(Path("artifacts/dataset/classes.json"), named(("Background", "Paper")))
    with tracking.training_run("r0", "unet", 0, params={"train": {"epochs": 3}}) as run:
        run.begin(Path("ck"))
        run.log_epoch(0, {"train_loss": 1.0, "val_miou": 0.1, "lr": 0.01, "iou/0": float("nan"), "iou/1": 0.3})
        run.log_image("overlays/epoch_0.png", np.zeros((4, 4, 3), np.uint8))
        run.finish(model_folder)
    logged = _run(run.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["mlflow.runName"] == "r0 train unet/0"
    assert logged.data.params["train.epochs"] == "3"
    assert logged.data.metrics["best_miou"] == 0.2
    assert logged.data.metrics["best_iou/Glass and -old-"] == 0.1
    assert logged.data.metrics["iou/Paper"] == 0.3
    client, _ = connect()
    history = client.get_metric_history(run.run_id, "train_loss")
    assert [(m.step, m.value) for m in history] == [(0, 1.0), (1, 0.5), (2, 0.4)]
    files = {item.path for item in client.list_artifacts(run.run_id)}
    assert files == {"overlays", "history.csv", "metrics.json", "model.json"}
    assert tracking.replay_training(model_folder, "r0", "unet", 0) == run.run_id


def test_replay_makes_one_run_whatever_the_number_of_calls(checkout: Path, model_folder: Path) -> None:
    first = tracking.replay_training(model_folder, "r0", "unet", 0)
    assert tracking.replay_training(model_folder, "r0", "unet", 0) == first
    run = _run(first)
    assert run.data.tags["mlflow.runName"] == "r0 train unet/0"
    assert run.data.metrics["val_miou"] == 0.2
    assert run.data.params["model.architecture"] == "Unet"
    parent = _run(run.data.tags["mlflow.parentRunId"])
    assert parent.data.params["train.loss"] == "ce"


def test_resumed_training_continues_its_run_without_doubling_epochs(checkout: Path, model_folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), tracking.training_run("r0", "unet", 0, params={}) as run:
        run.begin(Path("ck"))
        run.log_epoch(0, {"train_loss": 1.0})
        run.log_epoch(1, {"train_loss": 0.5})
        raise KeyboardInterrupt
    assert _run(run.run_id).info.status == "KILLED"
    with tracking.training_run("r0", "unet", 0, params={}) as again:
        again.begin(Path("ck"))
        assert _run(again.run_id).info.status == "RUNNING"
        again.log_epoch(1, {"train_loss": 0.5})
        again.log_epoch(2, {"train_loss": 0.4})
        again.finish(model_folder)
    assert again.run_id == run.run_id
    assert [m.step for m in connect()[0].get_metric_history(run.run_id, "train_loss")] == [0, 1, 2]


def test_an_epoch_that_a_kill_kept_from_the_store_is_added_at_the_end(checkout: Path, model_folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), tracking.training_run("r0", "unet", 0, params={}) as run:
        run.begin(Path("ck"))
        run.log_epoch(0, {"train_loss": 1.0})
        raise KeyboardInterrupt  # epoch 1 has its checkpoint, but was never told
    with tracking.training_run("r0", "unet", 0, params={}) as again:
        again.begin(Path("ck"))
        again.log_epoch(2, {"train_loss": 0.4})
        again.finish(model_folder)
    history = connect()[0].get_metric_history(run.run_id, "train_loss")
    assert sorted((m.step, m.value) for m in history) == [(0, 1.0), (1, 0.5), (2, 0.4)]


def test_a_training_with_another_checkpoint_begins_a_run_of_its_own(checkout: Path) -> None:
    begun = []
    for folder in ("ck/first", "ck/second", "ck/first"):
        run = tracking.training_run("r0", "unet", 0, params={})
        run.begin(Path(folder))
        begun.append(run.run_id)
    assert begun[0] == begun[2] != begun[1]


def test_a_store_that_comes_back_for_the_end_gets_all_of_it(
    checkout: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking.training_run("r0", "unet", 0, params={"train": {"epochs": 3}}) as run:
        with monkeypatch.context() as away:
            away.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
            with pytest.warns(UserWarning, match="training r0 train unet/0 was not tracked"):
                run.begin(Path("ck"))
            run.log_epoch(0, {"train_loss": 1.0})
        run.finish(model_folder)
    logged = _run(run.run_id)
    assert logged.info.status == "FINISHED" and logged.data.params["train.epochs"] == "3"
    assert [m.step for m in connect()[0].get_metric_history(run.run_id, "train_loss")] == [0, 1, 2]


def test_dvcs_hash_is_found_for_what_lies_in_an_artefact_or_in_added_data(checkout: Path) -> None:
    lock = {"stages": {"dataset": {"outs": [{"path": "artifacts/dataset", "md5": "a.dir"}]}}}
    Path("dvc.lock").write_text(json.dumps(lock))
    Path("photos.dvc").write_text("outs:\n- md5: b.dir\n  path: photos\n")
    assert tracked_hash(Path("artifacts/dataset/images")) == "a.dir"
    assert tracked_hash(Path("photos")) == tracked_hash(Path("photos/1.jpg")) == "b.dir"
    assert tracked_hash(Path("elsewhere/train.json")) is None


def test_answers_are_shown_once_for_each_epoch(checkout: Path) -> None:
    blank = np.zeros((8, 8), np.uint8)
    answer = Answer(np.zeros((8, 8, 3), np.uint8), blank, blank + 1)
    with tracking.training_run("r0", "unet", 0, params={}) as run:
        run.begin(Path("ck"))
        for epoch in (9, 9, 19):
            run.log_answers(epoch, [answer, answer])
        run.log_answers(29, [])
    shown = connect()[0].list_artifacts(run.run_id, "overlays")
    assert [item.path for item in shown] == ["overlays/epoch_0010.png", "overlays/epoch_0020.png"]
    sheet_HWC = read_image(Path(connect()[0].download_artifacts(run.run_id, shown[0].path)))
    assert sheet_HWC.shape == (2 * 8 + 6, 3 * 8 + 2 * 6, 3)


def test_failed_training_is_marked(checkout: Path) -> None:
    with (
        pytest.raises(ValueError, match="boom"),
        tracking.training_run("r0", "unet", 0, params={}) as run,
    ):
        run.begin(Path("ck"))
        raise ValueError("boom")
    assert _run(run.run_id).info.status == "FAILED"


def test_store_that_cannot_be_opened_costs_a_warning(
    checkout: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    with (
        pytest.warns(UserWarning, match="training r0 train unet/0 was not tracked"),
        tracking.training_run("r0", "unet", 0, params={}) as run,
    ):
        run.begin(Path("ck"))
        run.log_epoch(0, {"train_loss": 1.0})
        run.finish(model_folder)
    assert run.run_id is None


def test_epochs_missed_by_a_store_that_goes_away_are_added_at_the_end(
    checkout: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking.training_run("r0", "unet", 0, params={}) as run:
        run.begin(Path("ck"))
        with monkeypatch.context() as away:
            away.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
            with pytest.warns(UserWarning, match="epoch 0 was not tracked"):
                run.log_epoch(0, {"train_loss": 1.0})
            run.log_epoch(1, {"train_loss": 0.5})  # waits: the store is not asked again at once
        run.finish(model_folder)
    assert [m.step for m in connect()[0].get_metric_history(run.run_id, "train_loss")] == [0, 1, 2]


def test_switched_off_tracking_is_silent_and_imports_no_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from trashseg import tracking\n"
        "with tracking.pipeline_run() as parent, "
        "tracking.training_run('r0', 'unet', 0, params={}) as run:\n"
        "    run.begin(pathlib.Path('s')); run.log_epoch(0, {'a': 1.0}); run.finish(pathlib.Path('x'))\n"
        "assert parent is None and run.run_id is None and 'mlflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_processes_share_one_store(checkout: Path) -> None:
    code = (
        "import sys, pathlib; from trashseg import tracking\n"
        "n = int(sys.argv[1])\n"
        "with tracking.training_run('r0', 'unet', n, params={'a': 1}) as run:\n"
        "    run.begin(pathlib.Path(f'ck/{n}'))\n"
        "    for epoch in range(20):\n"
        "        run.log_epoch(epoch, {f'm{i}': float(epoch) for i in range(20)})\n"
        "    assert run.run_id\n"
    )
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen([*command, str(n)], cwd=checkout, stderr=subprocess.PIPE, text=True) for n in range(3)]
    ends = [(process.communicate()[1], process.returncode) for process in running]
    assert all(code == 0 and "not tracked" not in errors for errors, code in ends), ends
    client, experiment = connect()
    runs = client.search_runs([experiment], "tags.kind = 'training'")
    assert len(runs) == 3
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == 1
    assert all(len(client.get_metric_history(run.info.run_id, "m7")) == 20 for run in runs)


def test_history_ignores_text_and_gaps(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,note\n0,1.5,first\n3,,\n")
    assert read_history(path) == {0: {"loss": 1.5}, 3: {}}
    assert read_history(tmp_path / "absent.csv") == {}


def test_state_file_names_the_run(checkout: Path) -> None:
    with tracking.training_run("r0", "unet", 0, params={}) as run:
        run.begin(Path("ck"))
    assert json.loads(Path("ck/run.json").read_text())["run_id"] == run.run_id
