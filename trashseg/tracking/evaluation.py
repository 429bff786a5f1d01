"""One run per evaluated step, so that MLflow's table compares them: sort by `oof_miou` and read.

A step is a member, a network's folds, the ensemble, the CRF. Its run has the
out-of-fold scores as `oof_*` and, where test labels are known, `test_*`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trashseg.io import read_json
from trashseg.tracking.pipeline import KIND, PARENT_TAG, create_child, find, parent_run
from trashseg.tracking.plots import evaluation_plots
from trashseg.tracking.store import attempt, connect
from trashseg.tracking.values import clean, log_metrics, numbers, set_tags

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

SCORES_TAG = "scores"


def step_metrics(step: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The figures of one entry of `steps` in metrics.json, named `oof_miou`, `oof_iou/Paper` and so on."""
    values = {f"{prefix}_{name}": value for name, value in numbers(step).items()}
    interval = step.get("interval")
    if isinstance(interval, list | tuple) and len(interval) == 2:
        low, high = interval
        values |= numbers({f"{prefix}_miou_low": low, f"{prefix}_miou_high": high})
    per_class = step.get("per_class")
    if isinstance(per_class, Mapping):
        values |= numbers({f"{prefix}_iou/{clean(str(name))}": value for name, value in per_class.items()})
    return values


def _steps(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """(step, metrics) of the oof and, where known, the test scores of a round."""
    for part in ("oof", "test"):
        path = folder / part / "metrics.json"
        if path.is_file():
            for step in read_json(path).get("steps", []):
                yield str(step["step"]), step_metrics(step, part)


def read_steps(folder: Path) -> dict[str, dict[str, float]]:
    """Metrics by step of an `evaluate` artefact, oof and test joined."""
    joined: dict[str, dict[str, float]] = {}
    for step, metrics in _steps(folder):
        joined.setdefault(step, {}).update(metrics)
    return joined


def _log_step(client: "MlflowClient", experiment: str, round_id: str, step: str, metrics: dict[str, float]) -> str:
    tags = {KIND: "evaluation", "round": round_id, "step": step}
    scores = hashlib.sha256(json.dumps(metrics, sort_keys=True).encode()).hexdigest()[:32]
    known = find(client, experiment, {**tags, SCORES_TAG: scores})
    if known is not None:
        return str(known.info.run_id)
    found = find(client, experiment, {**tags, PARENT_TAG: parent_run(client, experiment)})
    if found is None:
        run_id = create_child(client, experiment, f"{round_id} {step}", tags)
    else:
        run_id = str(found.info.run_id)
    log_metrics(client, run_id, {0: metrics})
    set_tags(client, run_id, {SCORES_TAG: scores})
    client.set_terminated(run_id)
    return run_id


def _log_files(client: "MlflowClient", run_id: str, folder: Path) -> None:
    for part in ("oof", "test"):
        if (folder / part).is_dir():
            client.log_artifacts(run_id, str(folder / part), part)
            for name, svg in evaluation_plots(folder / part).items():
                client.log_text(run_id, svg, f"{part}/plots/{name}")


def log_evaluation(round_id: str, folder: Path) -> None:
    """Log every step of a round's `evaluate` artefact below the current parent run.

    A step whose scores the store has already, from this pipeline run or an
    earlier one, is not logged again: the table shows each result once.
    The last step (the most refined) also gets the artefact's files and plots
    of them. Never raises.
    """

    def action() -> None:
        client, experiment = connect()
        steps = read_steps(folder)
        for step, metrics in steps.items():
            run_id = _log_step(client, experiment, round_id, step, metrics)
        if steps:
            _log_files(client, run_id, folder)

    attempt(f"evaluation of {round_id}", action)


def log_headline(round_id: str, step: str, folder: Path) -> None:
    """Put the shipped step's scores on the parent run, so that pipeline runs compare too. Never raises."""

    def action() -> None:
        client, experiment = connect()
        parent = parent_run(client, experiment)
        log_metrics(client, parent, {0: read_steps(folder).get(step, {})})
        set_tags(client, parent, {"selected.round": round_id, "selected.step": step})

    attempt("the selected round", action)
