"""The parent run of a pipeline run, and how stages in other processes find it.

The flow opens `pipeline_run` and hands its id to the stages in
`TRASHSEG_PARENT_RUN`. Under plain `dvc repro` nobody does: stages then share
the parent whose tag names the same params.yaml and the same git commit, and
the first of them makes it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from trashseg.tracking.provenance import digest, dvc_hash, git_revision
from trashseg.tracking.store import attempt, checkout_lock, connect
from trashseg.tracking.values import log_params, set_tags

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

PARENT_VARIABLE = "TRASHSEG_PARENT_RUN"
PARENT_TAG = "mlflow.parentRunId"
KIND = "kind"
PIPELINE_TAG = "pipeline"

_PARAMS = Path("params.yaml")
_DATASET = Path("artifacts/dataset")


def _pipeline_key() -> str:
    params = digest([_PARAMS]) if _PARAMS.is_file() else "none"
    return f"{params[:16]}-{(git_revision() or 'none')[:12]}"


def _create(client: "MlflowClient", experiment: str, name: str | None, tags: Mapping[str, object]) -> str:
    revision = git_revision()
    key = _pipeline_key()
    run_id = str(client.create_run(experiment, run_name=name or f"pipeline {key[:6]}").info.run_id)
    described = {
        KIND: "pipeline",
        PIPELINE_TAG: key,
        "mlflow.source.git.commit": (revision or "").rstrip("+") or None,
        "git.revision": revision,
        "dvc.dataset": dvc_hash(_DATASET),
        **tags,
    }
    set_tags(client, run_id, described)
    if _PARAMS.is_file():
        params = yaml.safe_load(_PARAMS.read_text())
        log_params(client, run_id, params if isinstance(params, dict) else {})
        client.log_artifact(run_id, str(_PARAMS))
    return run_id


@contextmanager
def pipeline_run(name: str | None = None, tags: Mapping[str, object] | None = None) -> Iterator[str | None]:
    """The parent run of all stages run inside the block; yields its id, or None where tracking is off or failing.

    params.yaml, git and DVC revisions are recorded. An error that leaves the
    block marks the run FAILED (KILLED for an interrupt). Open it only when
    something is about to run: a pipeline that has nothing to do needs none.
    """
    run_id = attempt("the pipeline run", lambda: _create(*connect(), name, tags or {}))
    status = "FINISHED"
    try:
        yield run_id
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        raise
    finally:
        if run_id is not None:
            attempt("the end of the pipeline run", lambda: connect()[0].set_terminated(run_id, status))


def _exists(client: "MlflowClient", run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException:
        return False


def parent_run(client: "MlflowClient", experiment: str) -> str:
    """The id of the parent this process logs under: the flow's, else the one of these params and this commit."""
    given = os.environ.get(PARENT_VARIABLE)
    if given and _exists(client, given):
        return given
    with checkout_lock():
        key = _pipeline_key()
        found = find(client, experiment, {KIND: "pipeline", PIPELINE_TAG: key, "driver": "dvc"})
        if found is not None:
            return str(found.info.run_id)
        run_id = _create(client, experiment, None, {"driver": "dvc"})
        client.set_terminated(run_id)  # `dvc repro` has no end that could do it
        return run_id


def find(client: "MlflowClient", experiment: str, tags: Mapping[str, str]) -> Any:
    """The newest run that carries all these tags, or None."""
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    runs = client.search_runs([experiment], query, max_results=1)
    return runs[0] if runs else None


def create_child(
    client: "MlflowClient", experiment: str, name: str, tags: Mapping[str, object], start_ms: int | None = None
) -> str:
    """A new run below the parent; returns its id."""
    parent = parent_run(client, experiment)
    run_id = str(client.create_run(experiment, start_time=start_ms, run_name=name).info.run_id)
    set_tags(client, run_id, {PARENT_TAG: parent, "git.revision": git_revision(), **tags})
    return run_id
