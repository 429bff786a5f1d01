"""A sweep as MLflow sees it: a parent run, and below it a run for each trial.

A trial is followed from outside of the training's process, by the figures it
prints, so a trial that is stopped half-way has its curve all the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trashseg.classes import named
from trashseg.tracking.live import STATE, TrainingRun, remember, reopened
from trashseg.tracking.pipeline import KIND, PARENT_TAG
from trashseg.tracking.provenance import git_revision
from trashseg.tracking.store import attempt, connect
from trashseg.tracking.values import log_metrics, log_params, set_tags


@contextmanager
def sweep_run(name: str, told: Mapping[str, Any], folder: Path) -> Iterator[str | None]:
    """The parent run of a sweep's trials; yields its id, or None where nothing is tracked. Never raises itself.

    `folder` is the sweep's own: one that goes on in it continues its run.
    """

    def begin() -> str:
        client, experiment = connect()
        before = reopened(folder / STATE)
        if before is not None:
            return before
        run_id = str(client.create_run(experiment, run_name=f"sweep {name}").info.run_id)
        set_tags(client, run_id, {KIND: "sweep", "sweep": name, "git.revision": git_revision()})
        log_params(client, run_id, told)
        remember(folder / STATE, run_id)
        return run_id

    run_id = attempt(f"sweep {name}", begin)
    status = "FINISHED"
    try:
        yield run_id
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        raise
    finally:
        if run_id is not None:
            attempt(f"the end of sweep {name}", lambda: connect()[0].set_terminated(run_id, status))


class TrialRun:
    """One trial below a sweep. No method raises; each does nothing where nothing is tracked."""

    def __init__(
        self, parent: str | None, sweep: str, number: int, told: Mapping[str, Any], names: Sequence[str]
    ) -> None:
        """`told` is what the trial changes, by dotted key of params.yaml; `names` are the classes'."""

        def begin() -> str:
            client, experiment = connect()
            run_id = str(client.create_run(experiment, run_name=f"{sweep} trial {number}").info.run_id)
            tags = {PARENT_TAG: parent, KIND: "trial", "sweep": sweep, "trial": number, "git.revision": git_revision()}
            set_tags(client, run_id, tags)
            log_params(client, run_id, told)
            return run_id

        run_id = attempt(f"trial {number} of {sweep}", begin) if parent is not None else None
        self.what = f"trial {number} of {sweep}"
        self._run = TrainingRun(run_id=run_id, classes=named(tuple(names)))

    @property
    def run_id(self) -> str | None:
        """The id of the trial's run."""
        return self._run.run_id

    def log_epoch(self, step: int, values: Mapping[str, float]) -> None:
        """The figures of one epoch."""
        self._run.log_epoch(step, values)

    def end(self, state: str, score: float | None = None) -> None:
        """End the run: `complete` with its score, `pruned` or `fail`."""
        run_id = self._run.run_id
        if run_id is None:
            return

        def action() -> None:
            client, _ = connect()
            if score is not None:
                log_metrics(client, run_id, {0: {"score": score}})
            set_tags(client, run_id, {"state": state})
            client.set_terminated(run_id, {"complete": "FINISHED", "pruned": "KILLED"}.get(state, "FAILED"))

        attempt(f"the end of {self.what}", action)
