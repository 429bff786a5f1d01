"""The MLflow run around a pipeline run, and replaying into it what was restored rather than run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from flows.summary import REPORT_FILE
from trashseg import tracking
from trashseg.config import load
from trashseg.tracking.provenance import git_revision


def revision() -> str:
    """The short commit of the checkout, with `+` where tracked files differ from it."""
    full = git_revision() or ""
    return full[:7] + full[40:]


@contextmanager
def tracked(something_to_do: bool, name: str | None = None) -> Iterator[str | None]:
    """A parent run around the stages where any may run; gives its id, None where nothing is tracked.

    `name` is what MLflow shows it as: the name of Prefect's run, so that the two are found by each other.

    Stages in other processes find it in the environment. A block that ends
    well replays trainings and evaluations that the run does not have yet.
    """
    if not something_to_do:
        yield None
        return
    with tracking.pipeline_run(name, tags={"driver": "prefect"}) as run_id:
        if run_id is not None:
            os.environ[tracking.PARENT_VARIABLE] = run_id
        try:
            yield run_id
            values = load()
            rounds = [entry["id"] for entry in values["rounds"]]
            report = REPORT_FILE.parent if REPORT_FILE.is_file() else None
            tracking.log_results(rounds, values["models"], values["folds"], report)
        finally:
            os.environ.pop(tracking.PARENT_VARIABLE, None)
