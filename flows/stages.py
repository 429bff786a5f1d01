"""One stage of DVC's graph as one Prefect task.

DVC is the only cache: the task asks DVC to reproduce its stage alone and ends
in a state named for what DVC did, `Cached`, `Restored` or `Reproduced`. A
cache of Prefect's beside it went wrong (an output deleted, the state still
`Cached`).
"""

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect import State, Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Completed, Failed

from flows.graph import Stage, fingerprint, forget
from flows.outcomes import BAD_INPUT, CACHED, REPRODUCED, RESTORED
from flows.processes import Ended, run
from flows.slots import Slots

SHOWN_LINES = 12
RETRY_DELAY_S = 5
USER_ERROR = 2
TIME_LIMIT = 124

_DVC_CHATTER = (
    "Updating lock file",
    "Generating lock file",
    "To track the changes with git",
    "git add",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
    "Data and pipelines are up to date",
)


def _is_news(record: logging.LogRecord) -> bool:
    """Prefect repeats a state that a task returned as failed, an empty traceback beneath; the stage has said it."""
    return not str(record.msg).startswith("Task run failed with state")


logging.getLogger("prefect.task_runs").addFilter(_is_news)


class StageFailed(RuntimeError):
    """A stage's command failed; the message ends with its last lines. `code` is its exit code."""

    def __init__(self, message: str, code: int) -> None:
        """A failure whose exit code tells whether trying again makes sense."""
        super().__init__(message)
        self.code = code


class Ledger:
    """What became of each stage in this run, shared by the tasks that run side by side.

    A plain class: Prefect copies the dictionaries and dataclasses it is given.
    """

    def __init__(
        self, reasons: Mapping[str, tuple[str, ...]], slots: Slots, send: Callable[[str], State[None]] | None = None
    ) -> None:
        """`reasons` as in `Plan`; `send` has a worker reproduce a stage, where stages do not run here."""
        self.reasons = reasons
        self.send = send
        self.slots = slots
        self.outcomes: dict[str, str] = {}
        self.whys: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def untouched(self, stage: Stage) -> bool:
        """Whether nothing the stage depends on has changed, so that DVC need not be asked again."""
        return stage.name not in self.reasons and all(self.outcomes.get(up) == CACHED for up in stage.upstream)

    def why(self, stage: Stage) -> str:
        """Why the stage had to be looked at: the changed file or parameter, else the upstream that changed."""
        reasons = self.reasons.get(stage.name, ())
        own = [reason for reason in reasons if not reason.startswith("its output")] or list(reasons)
        if own:
            more = f" (and {len(own) - 2} more)" if len(own) > 2 else ""
            return ", ".join(own[:2]) + more
        changed = [up for up in stage.upstream if self.outcomes.get(up) != CACHED]
        return f"{changed[0]} changed" if changed else "nothing changed"


def outcome_of(lines: Mapping[str, bool]) -> str:
    """What DVC did, from which of its announcements were seen."""
    if lines["skipped"]:
        return CACHED
    return RESTORED if lines["restored"] else REPRODUCED


class Announcements:
    """Sorts a stage's output: DVC's announcements tell the outcome, its chatter is dropped, the rest is logged."""

    def __init__(self, stage: str, log: Callable[[str], object]) -> None:
        """Announcements carry the stage's name, so a stage's own lines cannot be taken for them."""
        self._log = log
        self._marks = {
            "skipped": f"Stage '{stage}' didn't change, skipping",
            "restored": f"Stage '{stage}' is cached - skipping run",
        }
        self.seen = dict.fromkeys(self._marks, False)

    def __call__(self, line: str) -> None:
        """Take one line."""
        for what, mark in self._marks.items():
            if line.startswith(mark):
                self.seen[what] = True
                return
        text = line.strip()
        if text.startswith(("Running stage", "> ")) or any(text.startswith(chatter) for chatter in _DVC_CHATTER):
            return
        self._log(line)


def reproduce(
    stage: Stage, log: Callable[[str], object], environment: Mapping[str, str], folder: Path, *options: str
) -> tuple[str, Ended]:
    """Let DVC reproduce one stage; gives its outcome and how the command ended. Failing raises `StageFailed`."""
    before = fingerprint(stage, folder)
    announcements = Announcements(stage.name, log)
    ended = run(
        ["dvc", "--wait-for-lock", "repro", "--single-item", *options, stage.name],
        announcements,
        environment={**os.environ, **environment},
        folder=folder,
        limit_s=stage.timeout_hours * 3600,
    )
    if ended.code != 0:
        put_back(stage, folder)
        code = TIME_LIMIT if ended.timed_out else command_code(ended)
        raise StageFailed(_failure(stage, ended, code), code)
    outcome = outcome_of(announcements.seen)
    edited = [path for path, digest in fingerprint(stage, folder).items() if before.get(path) != digest]
    if outcome == REPRODUCED and edited:
        forget(stage.name, folder)
        raise StageFailed(f"{stage.name}: {', '.join(edited)} was edited while the stage ran; run it again", USER_ERROR)
    return outcome, ended


def command_code(ended: Ended) -> int:
    """The exit code of the stage's own command, which dvc only tells in words; else dvc's."""
    for line in reversed(ended.tail):
        found = re.search(r"exited with (-?\d+)$", line)
        if found:
            return int(found.group(1))
    return ended.code


def put_back(stage: Stage, folder: Path) -> None:
    """Undo a failed stage's half-written outputs: DVC's last good ones return, or nothing where there are none."""
    run(
        ["dvc", "--wait-for-lock", "checkout", "--force", "--quiet", stage.name],
        str,
        folder=folder,
        limit_s=600,
    )


def _failure(stage: Stage, ended: Ended, code: int) -> str:
    sentences = [line for line in ended.tail if line.startswith("error: ")]
    if code == USER_ERROR and sentences:
        return f"{stage.name}: {sentences[-1].removeprefix('error: ')}"
    if ended.timed_out:
        reason = f"stopped after its time limit of {stage.timeout_hours:g} hours"
    elif ended.code < 0:
        reason = f"killed by signal {-ended.code}"
    else:
        reason = "failed"
    own = [line for line in ended.tail if not line.startswith(("Running stage", "> "))]
    return "\n".join([f"{stage.name} {reason}; its last lines:", *(f"    {line}" for line in own[-SHOWN_LINES:])])


def worth_a_retry(error: StageFailed) -> bool:
    """Whether a failure may pass by itself: a killed or crashed command, not a user's error or a spent time limit."""
    return error.code not in (USER_ERROR, TIME_LIMIT)


@task(cache_policy=NO_CACHE, persist_result=False)
def stage_task(stage: Stage, ledger: Ledger) -> State[None]:
    """Bring one stage up to date; the state's name says how. Raises only where Prefect is to try again."""
    if ledger.untouched(stage):
        return _finish(stage, ledger, CACHED, 0.0, "nothing it depends on changed")
    logger = get_run_logger()
    why = ledger.why(stage)
    try:
        logger.info("%s: %s", stage.name, why)
        if ledger.send is not None:
            sent = ledger.send(stage.name)
            if not sent.is_completed():
                return Failed(name=sent.name, message=sent.message)
            outcome, ended = reproduce(stage, logger.info, {}, Path(), "--pull")
            return _finish(stage, ledger, sent.name or outcome, ended.seconds, why)
        with ledger.slots.lease(stage.pool) as environment:
            outcome, ended = reproduce(stage, logger.info, environment, Path())
    except StageFailed as error:
        if worth_a_retry(error) and (task_run.run_count or 1) <= stage.retries:
            raise
        logger.error("%s", error)
        return Failed(name=BAD_INPUT if error.code == USER_ERROR else "Failed", message=str(error))
    return _finish(stage, ledger, outcome, ended.seconds, why)


def _finish(stage: Stage, ledger: Ledger, outcome: str, seconds: float, why: str) -> State[None]:
    ledger.seconds[stage.name] = seconds
    ledger.whys[stage.name] = why
    ledger.outcomes[stage.name] = outcome
    return Completed(name=outcome, message=f"{why} ({seconds:.1f} s)")


def task_for(stage: Stage) -> Task[..., Any]:
    """The task under the stage's name, tags and retries."""
    return stage_task.with_options(
        name=stage.kind,
        task_run_name=stage.name,
        tags=stage.tags,
        retries=stage.retries,
        retry_delay_seconds=RETRY_DELAY_S,
    )
