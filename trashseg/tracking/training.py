"""One run per training of the pipeline: live while it runs, resumed with it, or replayed from its model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trashseg.classes import read_classes
from trashseg.io import read_json
from trashseg.tracking.live import FOLDER_TAG, Dataset, Subject, TrainingRun, log_folder
from trashseg.tracking.pictures import member_overlays
from trashseg.tracking.pipeline import KIND, create_child, find
from trashseg.tracking.provenance import digest, dvc_hash
from trashseg.tracking.store import attempt, connect
from trashseg.tracking.values import set_tags

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

OVERLAYS_TAG = "overlays"

_DATASET = Path("artifacts/dataset")
_CLASSES = _DATASET / "classes.json"


def run_name(round_id: str, model: str, fold: int) -> str:
    """`r0 train unet/2`: the same for live, resumed and replayed runs."""
    return f"{round_id} train {model}/{fold}"


def _tags(round_id: str, model: str, fold: int) -> dict[str, object]:
    return {KIND: "training", "round": round_id, "model": model, "fold": fold, "dvc.dataset": dvc_hash(_DATASET)}


def training_run(
    round_id: str, model: str, fold: int, *, params: Mapping[str, Any], tags: Mapping[str, object] = {}
) -> TrainingRun:
    """The run of a training that is about to start or to resume; use it as a context manager.

    `params` (nested) is everything the training was told. Nothing is tracked
    before its `begin` was told the training's checkpoint folder.
    """
    name = run_name(round_id, model, fold)

    def create(client: "MlflowClient", experiment: str) -> str:
        return create_child(client, experiment, name, {**_tags(round_id, model, fold), **tags})

    subject = Subject(
        name,
        create,
        params,
        Dataset("dataset", [_DATASET / "train_all.json", _CLASSES], _DATASET.as_posix()),
        read_classes(_CLASSES) if _CLASSES.is_file() else None,
    )
    return TrainingRun(subject)


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
        log_folder(client, run_id, folder)
        return run_id

    return attempt(f"training {run_name(round_id, model, fold)}", action)
