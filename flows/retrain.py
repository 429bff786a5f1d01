"""The flow `retrain`: new labelled photos arrive; examine them, run the whole pipeline, ship it only if it is better.

Nothing is trained on a dataset that the doctor finds wrong, and the champion
of the registry changes only where the new networks beat it (see
`trashseg/tracking/registry.py`). With nothing new, nothing runs.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.command_line import finish, parse_settings
from flows.full_pipeline import full_pipeline, put_params
from flows.locks import checkout_lock
from flows.outcomes import BAD_INPUT, CHAMPION, NOT_BETTER, NOTHING_NEW
from flows.parameters import Device, Overrides, Preset, Rounds, Trainings, all_overrides
from flows.processes import run
from flows.tracked import revision
from trashseg import paths
from trashseg.config import load
from trashseg.errors import InputError, run_command
from trashseg.tracking.exported import register_exported, registered_version
from trashseg.tracking.store import is_off

SHOWN_FINDINGS = 20
DOCTOR_PAGE = paths.ARTIFACTS / "doctor.html"


class DoctorFailed(RuntimeError):
    """The doctor itself ended badly."""


def examine(root: Path, log: Callable[[str], object]) -> tuple[list[str], str]:
    """(the errors, the doctor's last line) of a dataset, by `trashseg doctor` in a process of its own."""
    errors: list[str] = []

    def read(line: str) -> None:
        log(line)
        if line.startswith("error: "):
            errors.append(line.removeprefix("error: "))

    DOCTOR_PAGE.parent.mkdir(parents=True, exist_ok=True)
    ended = run(["trashseg", "doctor", f"--page={DOCTOR_PAGE}", "--", str(root)], read)
    if ended.code and not errors:
        raise DoctorFailed(f"trashseg doctor ended with code {ended.code}: {' '.join(ended.tail[-3:])}")
    return errors, ended.tail[-1]


@task(name="doctor", cache_policy=NO_CACHE, persist_result=False)
def doctor(root: str) -> State[Any]:
    """Examine the dataset at `root`; errors in it are the user's to mend, warnings are counted."""
    logger = get_run_logger()
    errors, summary = examine(Path(root), logger.info)
    page = f"page: `{Path.cwd() / DOCTOR_PAGE}`"
    lines = [f"`{root}`: {summary}; {page}", *(f"- {error}" for error in errors[:SHOWN_FINDINGS])]
    create_markdown_artifact(markdown="\n".join(lines), key="doctor", description="What is wrong with the dataset")
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return Failed(name=BAD_INPUT, message=f"{errors[0]}{more}; see {DOCTOR_PAGE}")
    return Completed(message=summary)


@task(name="champion", cache_policy=NO_CACHE, persist_result=False)
def champion() -> State[Any]:
    """Register the exported networks; they become the champion only where they are better."""
    done = register_exported()
    place = "the champion" if done.champion else "not the champion"
    sentence = f"version {done.version} is {place}: {done.reason}"
    create_markdown_artifact(markdown=sentence, key="champion", description="Whether the new networks are shipped")
    return Completed(name=CHAMPION if done.champion else NOT_BETTER, message=sentence)


def run_name() -> str:
    """`retrain real 1a2b3c4`."""
    return f"retrain {flow_run.parameters.get('preset') or 'params.yaml'} {revision()}"


@flow(name="retrain", flow_run_name=run_name, validate_parameters=True)
def retrain(
    dataset: Annotated[str, Field(min_length=1, max_length=1000)] | None = None,
    preset: Preset | None = None,
    overrides: Overrides | None = None,
    rounds: Rounds | None = None,
    devices: list[Device] | None = None,
    trainings: Trainings = 0,
    where: Literal["here", "workers"] = "here",
) -> State[Any]:
    """Examine the labelled photos, run the pipeline on them, and make its networks the champion if they are better.

    Args:
        dataset: Folder of the COCO files, in the place of data.root; none: as params.yaml says.
        preset: A file of presets/ to run with; none: params.yaml as it is.
        overrides: Single values over it, by dotted key.
        rounds: How many rounds of pseudo labels; none: as the preset says.
        devices: CUDA devices to train on; none: all there are.
        trainings: Without CUDA devices, how many trainings share the cores; 0: two.
        where: Here, or each stage as a run of the deployment stage/gpu.

    Returns:
        Completed, or NothingNew where these very networks are registered already; the message says what came of it.
    """
    logger = get_run_logger()
    changed = all_overrides({**({"data.root": dataset} if dataset else {}), **(overrides or {})}, rounds)
    with checkout_lock(logger.info):
        try:
            if is_off():
                raise InputError("tracking is off (TRASHSEG_TRACKING): there is no registry to register in")
            put_params(preset, changed, logger.info)
            data = load()["data"]
        except InputError as error:
            return Failed(name=BAD_INPUT, message=str(error))
        if data["source"] == "coco":  # the sample is drawn, TACO is examined where it is downloaded
            found = doctor(data["root"], return_state=True)
            if not found.is_completed():
                return Failed(name=found.name, message=found.message)
        asked = {"preset": preset, "devices": devices, "trainings": trainings, "where": where}
        ran = full_pipeline(**asked, overrides=changed, return_state=True)
        if not ran.is_completed():
            return Failed(name=ran.name, message=ran.message)
        return shipped()


def shipped() -> State[Any]:
    """Register what the pipeline exported, unless these very networks are registered already."""
    try:
        known = registered_version()
    except InputError as error:
        return Failed(name=BAD_INPUT, message=str(error))
    if known is not None:
        return Completed(name=NOTHING_NEW, message=f"these networks are registered already, as version {known}")
    state = champion(return_state=True)
    return (Completed if state.is_completed() else Failed)(name=state.name, message=state.message)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.retrain", description="Retrain, and ship only if better.")
    parser.add_argument("--dataset", metavar="FOLDER", help="in the place of data.root")
    parser.add_argument("--preset", metavar="NAME", help="a file of presets/ to run with")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as: --set train.epochs=5")
    parser.add_argument("--trainings", type=int, default=0, metavar="N", help="trainings side by side on the CPU")
    return parser.parse_args()


def main() -> None:
    """Run the flow in this process."""
    given = vars(_arguments())
    overrides = parse_settings(given.pop("set"))
    finish(retrain, **given, overrides=overrides)


if __name__ == "__main__":
    run_command(main)
