"""A training as MLflow sees it: opened where it starts, gone on with where it resumes, closed with its model folder.

The run's id lies in the folder that holds the training's checkpoint, so a
training that goes on continues its own run, and one with other settings, data
or code, whose checkpoint folder is another, begins a new one.

A finished model folder has everything a run shows, so the end of a live
training and the replay of a restored one are the same function; live logging
only shows it earlier. A digest of the folder, kept as a tag, says which
folders a store already has.
"""

import csv
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import CONTEST, Classes
from trashseg.io import read_json, write_json
from trashseg.tracking.pictures import Shown, answer_sheet, confusion_svg
from trashseg.tracking.provenance import digest
from trashseg.tracking.store import TrackingOff, attempt, connect, tracking_uri
from trashseg.tracking.values import clean, log_metrics, log_params, numbers, set_tags

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

FOLDER_TAG = "model_folder"
STATE = "run.json"
WEIGHTS = (".safetensors", ".ckpt", ".onnx")
RETRY_AFTER_S = 60.0


@dataclass(frozen=True)
class Dataset:
    """What a training learns from: a name, the files whose digest tells it from others, and where it lies."""

    name: str
    files: Sequence[Path]
    uri: str

    def log(self, client: "MlflowClient", run_id: str) -> None:
        """Note it as the run's input; nothing where no file is there."""
        from mlflow import entities

        files = [path for path in self.files if path.is_file()]
        if files:
            dataset = entities.Dataset(self.name, digest(files), "local", json.dumps({"uri": self.uri}))
            tag = entities.InputTag("mlflow.data.context", "training")
            client.log_inputs(run_id, [entities.DatasetInput(dataset, [tag])])


@dataclass(frozen=True)
class Subject:
    """Which training a run is of. `create` makes its run, with its tags, in an experiment, and gives its id.

    `params` (nested) is everything the training was told.
    """

    name: str
    create: Callable[["MlflowClient", str], str]
    params: Mapping[str, Any] = field(default_factory=dict)
    dataset: Dataset | None = None
    classes: Classes | None = None

    def begin(self) -> str:
        """A new run with what is known before the training starts; its id."""
        client, experiment = connect()
        run_id = self.create(client, experiment)
        log_params(client, run_id, self.params)
        if self.dataset is not None:
            self.dataset.log(client, run_id)
        return run_id


class TrainingRun:
    """The run of a training. No method raises: what the store misses, `finish` or a replay adds."""

    def __init__(
        self, subject: Subject | None = None, run_id: str | None = None, classes: Classes | None = None
    ) -> None:
        """Without a `subject` there is a run only where `run_id` names one; without either nothing is tracked."""
        self.run_id = run_id
        self._subject = subject
        self._classes = subject.classes if subject is not None else classes
        names = self._classes.names if self._classes is not None else ()
        self._renamed = {f"iou/{index}": f"iou/{clean(name)}" for index, name in enumerate(names)}
        self._shown: set[int] = set()
        self._pictured: set[int] = set()
        self._waiting: dict[int, dict[str, float]] = {}
        self._next_try = 0.0
        self._finished = False

    def begin(self, checkpoints: Path) -> None:
        """Open the run: the one that `checkpoints` names, where a killed training left it there, else a new one."""
        subject = self._subject
        if subject is None:
            return

        def action() -> None:
            self.run_id = reopened(checkpoints / STATE)
            if self.run_id is not None:
                self._shown = epochs_of(self.run_id)
                return
            self.run_id = subject.begin()
            remember(checkpoints / STATE, self.run_id)

        attempt(f"training {subject.name}", action)

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """The figures of one epoch: losses, mIoU, lr, images/s, memory, `iou/INDEX` by class. NaN is left out.

        Epochs the run has already are skipped; while the store is away they
        are kept and sent later.
        """
        if self.run_id is None or epoch in self._shown:
            return
        self._waiting[epoch] = numbers({self._renamed.get(name, name): value for name, value in values.items()})
        if time.monotonic() >= self._next_try:
            self._send(self.run_id)

    def _send(self, run_id: str) -> None:
        def action() -> bool:
            log_metrics(connect()[0], run_id, self._waiting)
            return True

        if attempt(f"epoch {max(self._waiting)}", action):
            self._shown |= self._waiting.keys()
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
        sheet_HWC = answer_sheet(answers, (self._classes or CONTEST).palette())
        self.log_image(f"overlays/epoch_{epoch + 1:04d}.png", sheet_HWC)

    def finish(self, folder: Path) -> None:
        """Log what the finished model folder adds (best scores, per-class IoU, files) and end the run.

        A store that was away when the training began gets all of it now.
        """
        subject = self._subject
        if self.run_id is None and subject is not None:
            self.run_id = attempt(f"training {subject.name}", subject.begin)
        run_id = self.run_id
        if run_id is not None:
            attempt(f"model folder {folder}", lambda: log_folder(connect()[0], run_id, folder, self._shown))
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


def remember(state: Path, run_id: str) -> None:
    """Note a run in a small file, for `reopened`."""
    write_json(state, {"run_id": run_id, "uri": tracking_uri()})


def reopened(state: Path) -> str | None:
    """The id of the run that `remember` noted, running again; None where this store has none that can go on."""
    try:
        kept = read_json(state)
        if kept["uri"] != tracking_uri():
            return None
        run_id = str(kept["run_id"])
        connect()[0].update_run(run_id, status="RUNNING")
    except TrackingOff:
        raise
    except Exception:  # no state, a broken one, or a run that was deleted: a new run is right
        return None
    return run_id


def epochs_of(run_id: str) -> set[int]:
    """The epochs whose figures a run has."""
    client = connect()[0]
    curves = [name for name in client.get_run(run_id).data.metrics if name in ("train_loss", "val_miou", "lr")]
    return {metric.step for name in curves for metric in client.get_metric_history(run_id, name)}


def log_folder(client: "MlflowClient", run_id: str, folder: Path, shown: Collection[int] = ()) -> None:
    """All of a model folder but its weights, and the end of the run; the epochs `shown` are in it already."""
    history = read_history(folder / "history.csv")
    log_metrics(client, run_id, {epoch: row for epoch, row in history.items() if epoch not in shown})
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
