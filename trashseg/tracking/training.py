"""One run per training: live while it runs, resumed with it, or replayed from its model folder.

A finished model folder has everything a run shows, so the end of a live
training and the replay of a restored one are the same function; live logging
only shows it earlier. A digest of the folder, kept as a tag, says which
folders a store already has.
"""

import csv
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import CONTEST, read_classes
from trashseg.io import read_json, write_json
from trashseg.tracking.pictures import Shown, answer_sheet, confusion_svg, member_overlays
from trashseg.tracking.pipeline import KIND, create_child, find
from trashseg.tracking.provenance import digest, dvc_hash
from trashseg.tracking.store import attempt, connect, tracking_uri
from trashseg.tracking.values import clean, log_metrics, log_params, numbers, set_tags

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

FOLDER_TAG = "model_folder"
OVERLAYS_TAG = "overlays"
WEIGHTS = (".safetensors", ".ckpt", ".onnx")
RETRY_AFTER_S = 60.0

_DATASET = Path("artifacts/dataset")
_CLASSES = _DATASET / "classes.json"


def run_name(round_id: str, model: str, fold: int) -> str:
    """`r0 train unet/2`: the same for live, resumed and replayed runs."""
    return f"{round_id} train {model}/{fold}"


def _tags(round_id: str, model: str, fold: int) -> dict[str, object]:
    return {KIND: "training", "round": round_id, "model": model, "fold": fold, "dvc.dataset": dvc_hash(_DATASET)}


def _log_dataset(client: "MlflowClient", run_id: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    files = [path for path in (_DATASET / "train_all.json", _CLASSES) if path.is_file()]
    if files:
        source = json.dumps({"uri": _DATASET.as_posix()})
        dataset = Dataset("dataset", digest(files), "local", source)
        client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def read_history(path: Path) -> dict[int, dict[str, float]]:
    """The rows of history.csv by epoch, numbers only; an absent or broken file has none."""
    if not path.is_file():
        return {}
    rows: dict[int, dict[str, float]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            values = {}
            for name, text in row.items():
                try:
                    values[name] = float(text)
                except (TypeError, ValueError):
                    continue
            epoch = int(values.pop("epoch", len(rows)))
            rows[epoch] = numbers(values)
    return rows


def _final(metrics: Mapping[str, Any]) -> dict[str, float]:
    values = {name if name == "epochs" else f"best_{name}": value for name, value in numbers(metrics).items()}
    per_class = metrics.get("per_class")
    if isinstance(per_class, Mapping):
        values |= numbers({f"best_iou/{clean(str(name))}": value for name, value in per_class.items()})
    return values


def _log_folder(client: "MlflowClient", run_id: str, folder: Path, shown: int) -> None:
    """All of a model folder but its weights; epochs up to `shown` are in the run already."""
    history = read_history(folder / "history.csv")
    log_metrics(client, run_id, {epoch: row for epoch, row in history.items() if epoch > shown})
    metrics = read_json(folder / "metrics.json")
    log_metrics(client, run_id, {int(metrics.get("epoch") or 0): _final(metrics)})
    log_params(client, run_id, {"model": read_json(folder / "model.json")})
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in WEIGHTS):
        inner = file.parent.relative_to(folder).as_posix()
        client.log_artifact(run_id, str(file), None if inner == "." else inner)
    if metrics.get("confusion"):
        client.log_text(run_id, confusion_svg(metrics["confusion"], list(metrics["per_class"])), "confusion.svg")
    set_tags(client, run_id, {FOLDER_TAG: digest([folder])})
    client.set_terminated(run_id)


class TrainingRun:
    """A training as MLflow sees it. No method raises: what the store misses, `finish` or a replay adds."""

    def __init__(self, run_id: str | None, shown: int = -1, names: Sequence[str] = ()) -> None:
        """`run_id` is None where nothing is tracked; `shown` is the last epoch the run has; `names` are classes."""
        self.run_id = run_id
        self._renamed = {f"iou/{index}": f"iou/{clean(name)}" for index, name in enumerate(names)}
        self._shown = shown
        self._pictured: set[int] = set()
        self._waiting: dict[int, dict[str, float]] = {}
        self._next_try = 0.0
        self._finished = False

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """The figures of one epoch: losses, mIoU, lr, images/s, memory, `iou/INDEX` by class. NaN is left out.

        Epochs the run has already (a resumed training repeats some) are
        skipped; while the store is away they are kept and sent later.
        """
        if self.run_id is None or epoch <= self._shown:
            return
        self._waiting[epoch] = numbers({self._renamed.get(name, name): value for name, value in values.items()})
        if time.monotonic() >= self._next_try:
            self._send(self.run_id)

    def _send(self, run_id: str) -> None:
        def action() -> bool:
            log_metrics(connect()[0], run_id, self._waiting)
            return True

        if attempt(f"epoch {max(self._waiting)}", action):
            self._shown = max(self._waiting)
            self._waiting = {}
        else:
            self._next_try = time.monotonic() + RETRY_AFTER_S

    def log_image(self, name: str, image_HWC: NDArray[np.uint8]) -> None:
        """A picture, r, g, b, under `name` (`overlays/epoch_003.png`)."""
        run_id = self.run_id
        if run_id is not None:
            attempt(f"picture {name}", lambda: connect()[0].log_image(run_id, image_HWC, name))

    def log_answers(self, epoch: int, answers: Sequence[Shown]) -> None:
        """A grid of held-out photos, their truth and the network's answer after an epoch; none twice."""
        if self.run_id is None or not answers or epoch in self._pictured:
            return
        self._pictured.add(epoch)
        classes = read_classes(_CLASSES) if _CLASSES.is_file() else CONTEST
        sheet_HWC = answer_sheet(answers, classes.palette())
        self.log_image(f"overlays/epoch_{epoch + 1:04d}.png", sheet_HWC)

    def finish(self, folder: Path) -> None:
        """Log what the finished model folder adds (best scores, per-class IoU, files) and end the run."""
        run_id = self.run_id
        if run_id is not None:
            attempt(f"model folder {folder}", lambda: _log_folder(connect()[0], run_id, folder, self._shown))
        self._finished = True

    def __enter__(self) -> "TrainingRun":
        """The run itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the run where `finish` did not: FAILED after an error, KILLED after an interrupt."""
        run_id = self.run_id
        if run_id is None or self._finished:
            return
        status = "FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED"
        attempt("the end of the training", lambda: connect()[0].set_terminated(run_id, status))


def _class_names() -> tuple[str, ...]:
    return read_classes(_CLASSES).names if _CLASSES.is_file() else ()


def _resume(client: "MlflowClient", state: Path) -> TrainingRun | None:
    try:
        kept = read_json(state)
        if kept["uri"] != tracking_uri():
            return None
        run = client.get_run(kept["run_id"])
    except Exception:  # no state, a broken one, or a run that was deleted: a new run is right
        return None
    client.update_run(run.info.run_id, status="RUNNING")
    curves = [name for name in run.data.metrics if name in ("train_loss", "val_miou", "lr")]
    steps = [metric.step for name in curves for metric in client.get_metric_history(run.info.run_id, name)]
    return TrainingRun(run.info.run_id, max(steps, default=-1), _class_names())


def training_run(
    round_id: str, model: str, fold: int, *, state: Path, params: Mapping[str, Any], tags: Mapping[str, object] = {}
) -> TrainingRun:
    """The run of a training that is about to start or to resume; use it as a context manager.

    `state` is a small file to keep beside the checkpoint (outside DVC's outs):
    it holds the run's id, so that a resumed training continues its own run.
    `params` (nested) is everything the training was told. Never raises.
    """

    def action() -> TrainingRun:
        client, experiment = connect()
        resumed = _resume(client, state)
        if resumed is not None:
            return resumed
        run_id = create_child(
            client, experiment, run_name(round_id, model, fold), {**_tags(round_id, model, fold), **tags}
        )
        write_json(state, {"run_id": run_id, "uri": tracking_uri()})
        log_params(client, run_id, params)
        _log_dataset(client, run_id)
        return TrainingRun(run_id, names=_class_names())

    return attempt(f"training {run_name(round_id, model, fold)}", action) or TrainingRun(None)


def log_overlays(run_id: str, round_id: str, model: str, fold: int) -> None:
    """Show what a member paints on photos held back from it; once, as soon as its predictions are there."""

    def action() -> None:
        client, _ = connect()
        if OVERLAYS_TAG in client.get_run(run_id).data.tags:
            return
        sheet_HWC = member_overlays(round_id, model, fold)
        if sheet_HWC is not None:
            client.log_image(run_id, sheet_HWC, "overlays/photo_truth_answer.png")
            set_tags(client, run_id, {OVERLAYS_TAG: "yes"})

    attempt(f"overlays of {run_name(round_id, model, fold)}", action)


def replay_training(folder: Path, round_id: str, model: str, fold: int) -> str | None:
    """Make the run of a model folder that was restored, or whose tracking failed; nothing where the store has it.

    Returns the id of the folder's run, None where tracking is off or fails.
    """

    def action() -> str:
        client, experiment = connect()
        found = find(client, experiment, {FOLDER_TAG: digest([folder])})
        if found is not None:
            return str(found.info.run_id)
        training = read_json(folder / "model.json").get("training") or {}
        tags = _tags(round_id, model, fold) | {"replayed": "true", "passed_on_from": training.get("passed_on_from")}
        run_id = create_child(client, experiment, run_name(round_id, model, fold), tags)
        _log_folder(client, run_id, folder, shown=-1)
        return run_id

    return attempt(f"training {run_name(round_id, model, fold)}", action)
