"""The flow `full-pipeline`: every stage of dvc.yaml, as many side by side as the machine has room for.

`python -m flows.full_pipeline` runs it in this process with a temporary
Prefect server; `prefect deployment run full-pipeline/local` runs the same on a
worker. DVC decides what must be rebuilt (see `flows/stages.py`).
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from prefect import State, flow, get_run_logger
from prefect.futures import wait
from prefect.runtime import flow_run
from prefect.states import Failed

from flows import artifacts, fan_out, summary
from flows.dvc_server import DVC
from flows.graph import Plan, Stage, read_plan, selection
from flows.locks import checkout_lock
from flows.outcomes import BAD_INPUT
from flows.parameters import Device, Overrides, Preset, Rounds, StageName, Trainings, all_overrides, parse_setting
from flows.processes import GROUPS
from flows.slots import Slots, cores, visible_devices
from flows.stages import USER_ERROR, Ledger, task_for
from flows.temporary_server import TemporaryServer
from flows.tracked import revision, tracked
from trashseg import params, presets
from trashseg.config import load
from trashseg.errors import InputError, run_command

TRAININGS_ON_CPU = 2

_plan_ahead: list[Plan] = []
"""The plan the command line made, holding the checkout's lock, while Prefect's server started."""


class StagesFailed(Exception):
    """Leaves the block of a tracked run, so that it is marked as failed; `state` says what went wrong."""

    def __init__(self, state: State[Any]) -> None:
        """`state` is the flow's final state."""
        super().__init__(state.message)
        self.state = state


def put_params(preset: str | None, overrides: dict[str, Any], say: Callable[[str], object]) -> None:
    """Put the numbers a run asks for in place and check them whole; errors are `InputError`s."""
    say(presets.switch(preset, overrides))
    params.check()


def round_ids() -> list[str]:
    """The rounds of params.yaml."""
    return [entry["id"] for entry in load()["rounds"]]


def run_stages(stages: Sequence[Stage], ledger: Ledger) -> dict[str, State[Any]]:
    """Submit every stage behind its upstreams, wait for all, and give their final states."""
    futures: dict[str, Any] = {}
    GROUPS.reopen()
    try:
        for stage in stages:
            upstream = [futures[name] for name in stage.upstream if name in futures]
            futures[stage.name] = task_for(stage).submit(stage, ledger, wait_for=upstream)
        wait(list(futures.values()))
    except BaseException:  # a cancelled flow, Ctrl-C: nothing may go on without it
        GROUPS.kill_all()
        raise
    return {name: future.state for name, future in futures.items()}


def failure(states: dict[str, State[Any]]) -> State[Any] | None:
    """What went wrong, for people: each failed stage with its last lines, and what therefore did not run.

    The state is named `BadInput` where nothing but the user's input is to blame.
    """
    failed = [name for name, state in states.items() if state.is_failed() or state.is_crashed() or state.is_cancelled()]
    if not failed:
        return None
    not_run = [name for name, state in states.items() if state.is_pending()]
    parts = [states[name].message or name for name in failed]
    if not_run:
        parts.append(f"not run, because they need it: {', '.join(not_run)}")
    blamed_on_input = all(states[name].name == BAD_INPUT for name in failed)
    return Failed(name=BAD_INPUT if blamed_on_input else "Failed", message="\n".join(parts))


def run_name() -> str:
    """A name that says preset and revision: `real 1a2b3c4`."""
    given = flow_run.parameters
    changed = len(given.get("overrides") or {}) + bool(given.get("rounds"))
    parts = [given.get("preset") or "params.yaml", revision(), f"{changed} set" if changed else ""]
    return " ".join(part for part in parts if part)


@flow(name="full-pipeline", flow_run_name=run_name, validate_parameters=True)
def full_pipeline(
    preset: Preset | None = None,
    overrides: Overrides | None = None,
    rounds: Rounds | None = None,
    until: list[StageName] | None = None,
    since: list[StageName] | None = None,
    devices: list[Device] | None = None,
    trainings: Trainings = 0,
    where: Literal["here", "workers"] = "here",
) -> dict[str, str] | State[Any]:
    """Bring every stage of the pipeline up to date.

    Args:
        preset: A file of presets/ to run with; none: params.yaml as it is.
        overrides: Single values over it, by dotted key, such as {"refine.iterations": [10]}.
        rounds: How many rounds, each taught by the one before; none: as the preset says.
        until: Stop at these stages, such as ["evaluate"] or ["train@r0-unet-0"]; none: run them all.
        since: Start at these stages and take what lies before them as it is; none: start at the first.
        devices: CUDA devices to train on, one training on each; none: all there are.
        trainings: Without CUDA devices, how many trainings share the cores; 0: two.
        where: Here, or each stage as a run of the deployment stage/gpu that any worker of its pool may take.

    Returns:
        What became of each stage: Cached, Restored or Reproduced.
    """
    logger = get_run_logger()
    start = time.monotonic()
    with checkout_lock(logger.info):
        try:
            if not _plan_ahead:
                put_params(preset, all_overrides(overrides, rounds), logger.info)
            plan = _plan_ahead.pop() if _plan_ahead else read_plan()
            stages = selection(plan.stages, until or [], since or [])
            send = fan_out.sender(logger.info) if where == "workers" else None
        except InputError as error:
            return Failed(name=BAD_INPUT, message=str(error))
        found = visible_devices() if devices is None else devices
        ledger = Ledger(plan.reasons, Slots(trainings or TRAININGS_ON_CPU, found, cores()), send)
        try:
            _run_tracked(stages, ledger)
        except StagesFailed as failed:
            return failed.state
    logger.info(summary.outcome_sentence(ledger.outcomes, time.monotonic() - start))
    return ledger.outcomes


def _run_tracked(stages: Sequence[Stage], ledger: Ledger) -> None:
    stale = any(stage.name in ledger.reasons for stage in stages)
    if stale:
        DVC.warm()
    with tracked(stale, flow_run.name) as run_id:
        failed = failure(run_stages(stages, ledger))
        artifacts.publish(stages, ledger, round_ids(), run_id)
        if failed is not None:
            raise StagesFailed(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.full_pipeline", description="Run the whole pipeline here.")
    parser.add_argument("--preset", metavar="NAME", help="put presets/NAME.yaml in the place of params.yaml first")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as: --set train.epochs=5")
    parser.add_argument("--until", nargs="+", default=[], metavar="STAGE", help="stop at these, as: --until evaluate")
    parser.add_argument("--since", nargs="+", default=[], metavar="STAGE", help="start at these, as: --since refine")
    parser.add_argument("--trainings", type=int, default=0, metavar="N", help="trainings side by side on the CPU")
    return parser.parse_args()


def main() -> None:
    """Check params.yaml and the graph, run the flow in this process, and end with the table of mIoU."""
    arguments = _arguments()
    overrides = dict(parse_setting(text) for text in arguments.set)
    start = time.monotonic()
    with checkout_lock(partial(print, file=sys.stderr)):
        put_params(arguments.preset, overrides, partial(print, file=sys.stderr))
        server = TemporaryServer()
        _plan_ahead.append(read_plan())
        asked = {name: getattr(arguments, name) for name in ("preset", "until", "since", "trainings")}
        with server.used():
            state = full_pipeline(**asked, overrides=overrides, return_state=True)
    if not state.is_completed():
        print(f"error: {state.message}", file=sys.stderr)
        raise SystemExit(USER_ERROR if state.name == BAD_INPUT else 1)
    outcomes = state.result()
    assert isinstance(outcomes, dict)
    summary.show(round_ids(), outcomes, time.monotonic() - start)


if __name__ == "__main__":
    run_command(main)
