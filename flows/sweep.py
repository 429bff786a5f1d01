"""The flow `sweep`: trainings with other numbers, the hopeless ones stopped early, the best numbers at the end.

Each trial is `trashseg train` on the folds' own files in a process of its
own: it is followed by the figures it prints, and killed where its best mIoU
so far is below the median of the trials before it. Optuna's journal lies in
`.trashseg/sweeps/NAME`: a sweep that was killed goes on when it is run again
under its name. No artefact of the pipeline changes.

The winner is chosen on the held-out images of `folds`, so those folds' scores
flatter it; the pipeline's own folds are the judge.
"""

import argparse
import json
import math
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.command_line import finish
from flows.full_pipeline import full_pipeline
from flows.locks import checkout_lock
from flows.outcomes import BAD_INPUT
from flows.parameters import Device, Preset, Trainings
from flows.processes import GROUPS, kill_group
from flows.slots import Slots, cores, visible_devices
from flows.sweep_space import DEFAULT, Range, Space, parse, setting, suggest
from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import PARAMS, load
from trashseg.errors import run_command
from trashseg.io import write_json
from trashseg.tracking.sweep import TrialRun, sweep_run

STORE = Path(".trashseg/sweeps")

PRUNED = "Pruned"

STARTUP_TRIALS = 4
"""Trials that run to their end before any is compared with their median."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Fold = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=10_000)]


class Sweep:
    """What the trials of a run share. A plain class: Prefect copies the dictionaries and dataclasses it is given."""

    def __init__(
        self,
        name: str,
        space: Mapping[str, Range | list[Any]],
        folds: Sequence[int],
        epochs: int | None,
        slots: Slots,
        parent: str | None,
    ) -> None:
        """`epochs` None: as params.yaml says; `parent` is the MLflow run."""
        self.name, self.space, self.folds, self.parent, self.slots = name, space, folds, parent, slots
        self.epochs = epochs or int((load().get("train") or {}).get("epochs", 60))
        self.seed = int(load().get("seed", 0))
        self.folder = (STORE / name).absolute()
        self.classes = read_classes(paths.DATASET / "classes.json").names
        self.study = open_study(self.folder, name, self.seed)
        self.lock = threading.Lock()

    def ask(self) -> optuna.trial.Trial:
        """The next trial; one at a time, so that each knows of those before it."""
        with self.lock:
            return self.study.ask()


def open_study(folder: Path, name: str, seed: int) -> optuna.Study:
    """The study of a name, new or as it was left; trials that were cut off are put in the queue again."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, n_warmup_steps=1),
    )
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    for left in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(left.number, state=TrialState.FAIL)
        study.enqueue_trial(left.params)
    return study


class Follower:
    """Reads the figures of one trial's trainings, fold after fold, and says when to give up."""

    def __init__(self, trial: optuna.trial.Trial, run: TrialRun, epochs: int, say: Callable[[str], object]) -> None:
        """`epochs` is how many each fold trains."""
        self.trial, self.run, self.epochs, self.say = trial, run, epochs, say
        self.best: list[float] = []
        self.words = ""

    def begin(self) -> None:
        """The next fold."""
        self.best.append(0.0)

    @property
    def score(self) -> float:
        """The mean over folds of the best mIoU."""
        return math.fsum(self.best) / len(self.best)

    def __call__(self, line: str) -> bool:
        """Take a line of output; False where the trial is worse than the median at this step."""
        if not line.startswith('{"epoch"'):
            self.words = line if any(map(str.isalnum, line)) else self.words
            self.say(line)
            return True
        figures = json.loads(line)
        step = (len(self.best) - 1) * self.epochs + int(figures.pop("epoch"))
        self.best[-1] = max(self.best[-1], float(figures.get("val_miou", 0.0)))
        self.run.log_epoch(step, {**figures, "best_so_far": self.score})
        self.trial.report(self.score, step)
        return not self.trial.should_prune()


def follow(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], take: Callable[[str], bool]
) -> int | None:
    """Run a command line by line; None where `take` had it killed, else its exit code."""
    process = GROUPS.start(command, environment, folder)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip() and not take(line.strip()):
                kill_group(process.pid)
                process.wait()
                return None
        return process.wait()
    finally:
        GROUPS.ended(process.pid)


def command(sweep: Sweep, fold: int, values: Mapping[str, Any], out: Path) -> list[str]:
    """`trashseg train` on one fold with a trial's values."""
    here = Path.cwd()
    own = [sys.executable, "-m", "trashseg.cli", "train", "--params", str(here / PARAMS)]
    files = {part: str(here / paths.FOLDS / f"kfold_{fold}_{part}.json") for part in ("train", "val")}
    own += [
        "--train-json",
        files["train"],
        "--val-json",
        files["val"],
        "--images",
        str(here / paths.DATASET / "images"),
    ]
    own += ["--out", str(out), "--figures=-", "--seed", str(sweep.seed), "--epochs", str(sweep.epochs)]
    return own + [part for key, value in values.items() for part in ("--set", setting(key, value))]


@task(cache_policy=NO_CACHE, persist_result=False)
def trial_task(sweep: Sweep) -> State[None]:
    """One trial; its state's name says how it ended."""
    logger = get_run_logger()
    with sweep.slots.lease("gpu") as environment:
        trial = sweep.ask()
        values = suggest(trial, sweep.space)
        what = " ".join(setting(key, value) for key, value in values.items())
        logger.info("trial %d: %s", trial.number, what)
        run = TrialRun(sweep.parent, sweep.name, trial.number, values, sweep.classes)
        follower = Follower(trial, run, sweep.epochs, logger.debug)
        state = TrialState.FAIL
        try:
            state = _train(sweep, trial, values, follower, environment)
        finally:
            score = follower.score if state == TrialState.COMPLETE else None
            sweep.study.tell(trial, score, state=state)
            run.end(state.name.lower(), score)
    if state == TrialState.FAIL:
        return Failed(message=f"trial {trial.number} ({what}): {follower.words.removeprefix('error: ')}")
    logger.info("trial %d: %s at mIoU %.4f", trial.number, state.name.lower(), follower.score)
    name = PRUNED if state == TrialState.PRUNED else None
    return Completed(name=name, message=f"mIoU {follower.score:.4f}: {what}")


def _train(
    sweep: Sweep,
    trial: optuna.trial.Trial,
    values: Mapping[str, Any],
    follower: Follower,
    environment: Mapping[str, str],
) -> TrialState:
    """Train the folds of a trial, in a folder of its own that is gone afterwards."""
    folder = sweep.folder / f"trial-{trial.number}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for fold in sweep.folds:
            follower.begin()
            given = {**os.environ, **environment, "TRASHSEG_TRACKING": "off"}
            code = follow(command(sweep, fold, values, folder / str(fold)), folder, given, follower)
            if code is None:
                return TrialState.PRUNED
            if code:
                return TrialState.FAIL
        return TrialState.COMPLETE
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rows(study: optuna.Study, space: Mapping[str, Range | list[Any]]) -> list[dict[str, Any]]:
    """The trials that ended, the best first: number, state, score (the last one reported where it was stopped)."""
    found = []
    for trial in study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)):
        last = max(trial.intermediate_values.items(), default=(0, math.nan))[1]
        values = {
            key: what if isinstance(space.get(key), Range) or key not in space else space[key][what]  # type: ignore[index]
            for key, what in trial.params.items()
        }
        score = trial.value if trial.value is not None else last
        found.append({"trial": trial.number, "state": trial.state.name.lower(), "miou": score, "values": values})
    return sorted(found, key=lambda each: (each["state"] != "complete", -each["miou"]))


def run_name() -> str:
    """`sweep NAME`."""
    return f"sweep {flow_run.parameters.get('name')}"


@flow(name="sweep", flow_run_name=run_name, validate_parameters=True)
def sweep(
    name: Name = "sweep",
    trials: Count = 20,
    space: Space | None = None,
    folds: list[Fold] | None = None,
    epochs: Count | None = None,
    preset: Preset | None = None,
    devices: list[Device] | None = None,
    trainings: Trainings = 0,
) -> State[Any]:
    """Try trainings with other numbers; MLflow shows each, and the best ones are told at the end.

    Args:
        name: The sweep's name; one that is there goes on until it has as many trials.
        trials: How many trials in all.
        space: Keys of params.yaml with choices or {low, high, log}; none: learning rate, loss and balance.
        folds: Folds that each trial trains and is scored on; none: the first.
        epochs: Epochs of each training; none: as params.yaml says.
        preset: A file of presets/ to start from; none: params.yaml as it is.
        devices: CUDA devices, one training on each; none: all there are.
        trainings: Without CUDA devices, how many trainings share the cores; 0: one.

    Returns:
        A state whose message has the best values as `--set` takes them.
    """
    logger = get_run_logger()
    tried: Mapping[str, Range | list[Any]] = space or DEFAULT
    with checkout_lock(logger.info):
        prepared = full_pipeline(preset=preset, until=["folds"], return_state=True)
        if not prepared.is_completed():
            return prepared
        chosen = folds or [0]
        missing = [fold for fold in chosen if not (paths.FOLDS / f"kfold_{fold}_train.json").is_file()]
        if missing:
            return Failed(name=BAD_INPUT, message=f"fold {missing[0]}: there is none in {paths.FOLDS}")
        found = visible_devices() if devices is None else devices
        told = {"trials": trials, "folds": chosen, "space": {key: str(what) for key, what in tried.items()}}
        with sweep_run(name, told, STORE / name) as parent:
            shared = Sweep(name, tried, chosen, epochs, Slots(trainings or 1, found, cores()), parent)
            failed = _run(shared, trials)
        return _publish(shared, tried, failed)


def _run(shared: Sweep, trials: int) -> list[State[Any]]:
    """Run what is missing to `trials`; gives the states of those that failed."""
    ended = len(shared.study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))
    GROUPS.reopen()
    try:
        numbers = range(ended, trials)
        futures = [trial_task.with_options(task_run_name=f"trial {n}").submit(shared) for n in numbers]
        wait(futures)
    except BaseException:  # a cancelled flow, Ctrl-C: nothing may go on without it
        GROUPS.kill_all()
        raise
    return [future.state for future in futures if not future.state.is_completed()]


def _publish(shared: Sweep, space: Mapping[str, Range | list[Any]], failed: Sequence[State[Any]]) -> State[Any]:
    table = rows(shared.study, space)
    complete = [row for row in table if row["state"] == "complete"]
    if not complete:
        return Failed(message=failed[0].message if failed else "no trial ran to its end")
    write_json(shared.folder / "sweep.json", table)
    cells = [
        {"trial": row["trial"], "state": row["state"], "mIoU": f"{row['miou']:.4f}", **row["values"]} for row in table
    ]
    create_table_artifact(table=cells, key="sweep", description=f"Sweep {shared.name}, the best first")
    best = complete[0]
    model = (load().get("models") or ["NAME"])[0]
    keys = {key.replace("network.", f"networks.{model}.", 1): value for key, value in best["values"].items()}
    flags = " ".join(f"--set '{setting(key, value)}'" for key, value in keys.items())
    pruned = sum(row["state"] == "pruned" for row in table)
    said = f"best of {len(table)} trials ({pruned} stopped early, {len(failed)} failed): mIoU {best['miou']:.4f}"
    return Completed(message=f"{said} on the held-out images of fold {shared.folds}: {flags}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.sweep", description="Try trainings with other numbers.")
    parser.add_argument("--name", default="sweep", help="one that is there goes on")
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="how many in all")
    parser.add_argument(
        "--vary",
        action="append",
        metavar="KEY=WHAT",
        help="as: --vary train.learning_rate=1e-4..1e-2:log --vary train.loss=ce,ce+dice",
    )
    parser.add_argument("--folds", nargs="+", type=int, metavar="N", help="folds to score on; default: the first")
    parser.add_argument("--epochs", type=int, metavar="N", help="of each training; default: as params.yaml says")
    parser.add_argument("--preset", metavar="NAME", help="a file of presets/ to start from")
    parser.add_argument("--trainings", type=int, default=0, metavar="N", help="trainings side by side on the CPU")
    return parser.parse_args()


def main() -> None:
    """Run the flow in this process."""
    given = vars(_arguments())
    varied = given.pop("vary")
    space = dict(parse(text) for text in varied) if varied else None
    finish(sweep, **given, space=space)


if __name__ == "__main__":
    run_command(main)
