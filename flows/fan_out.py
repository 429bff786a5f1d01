"""Stages on many machines: each becomes a run of the deployment `stage/POOL`, which any worker of the pool may take.

Every worker has a clone of its own. What travels is small: the revision, the
text of params.yaml and the stage's name; artefacts go by the DVC remote and
its run cache. The worker reproduces the stage, restoring its upstreams from
the run cache, and pushes; the head then restores the result into its own
checkout, which finds it by the same hashes. Nothing runs twice.
"""

import os
import subprocess
from collections.abc import Callable
from functools import partial

from prefect import State, flow, get_run_logger
from prefect.deployments import run_deployment
from prefect.states import Completed, Failed

from flows.dvc_server import DVC
from flows.graph import default_remote
from flows.locks import checkout_lock
from flows.outcomes import BAD_INPUT
from flows.parameters import StageName
from flows.processes import Ended, run
from flows.slots import Slots, cores, visible_devices
from flows.stages import SHOWN_LINES, USER_ERROR, Announcements, command_code, outcome_of
from trashseg.config import PARAMS
from trashseg.errors import InputError
from trashseg.io import write_text

DEPLOYMENT = "stage/gpu"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"git {' '.join(arguments)}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()


def head_revision() -> str:
    """The commit workers are to check out; refuses a checkout whose code is not what was committed."""
    if changed := _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!params.yaml", ":!dvc.lock"):
        names = ", ".join(line.split(maxsplit=1)[-1] for line in changed.splitlines())
        raise InputError(f"workers run what is committed and pushed, and {names} is not: commit it first")
    return _git("rev-parse", "HEAD")


def go_to(revision: str) -> None:
    """Bring this clone to a commit, fetching it where it is not here yet."""
    if _git("rev-parse", "HEAD") == revision:
        return
    known = subprocess.run(["git", "cat-file", "-e", revision], capture_output=True).returncode == 0
    if not known:
        _git("fetch", "--quiet", "origin")
    _git("checkout", "--quiet", "--force", "--detach", revision)


@flow(name="stage", flow_run_name="{stage}", validate_parameters=True)
def stage_here(stage: StageName, revision: str, params: str) -> State[None]:
    """Reproduce one stage in this worker's clone and push what it made.

    Args:
        stage: The stage, such as train@r0-unet-0.
        revision: The commit of the head's checkout.
        params: The text of the head's params.yaml.
    """
    logger = get_run_logger()
    with checkout_lock(logger.info):
        try:
            DVC.warm()
            go_to(revision)
            write_text(PARAMS, params)
        except InputError as error:
            return Failed(name=BAD_INPUT, message=str(error))
        announcements = Announcements(stage, logger.info)
        with Slots(1, visible_devices(), cores()).lease("gpu") as environment:
            full = {**os.environ, **environment}
            ended = run(["dvc", "--wait-for-lock", "repro", "--pull", stage], announcements, environment=full)
        if ended.code == 0:
            pushed = run(["dvc", "--wait-for-lock", "push", "--run-cache", stage], logger.info)
            return Completed(name=outcome_of(announcements.seen)) if pushed.code == 0 else _failed(stage, pushed)
        return _failed(stage, ended)


def _failed(stage: str, ended: Ended) -> State[None]:
    name = BAD_INPUT if command_code(ended) == USER_ERROR else "Failed"
    return Failed(name=name, message="\n".join([f"{stage} failed; its last lines:", *ended.tail[-SHOWN_LINES:]]))


def sender(say: Callable[[str], object]) -> Callable[[str], State[None]]:
    """Get ready to send stages: check the remote and the revision, push what is here already. Gives the sender."""
    if default_remote() is None:
        raise InputError(
            ".dvc/config: no default remote, by which workers exchange artefacts: dvc remote add --default"
        )
    revision = head_revision()
    pushed = run(["dvc", "--wait-for-lock", "push", "--run-cache", "--quiet"], say)
    if pushed.code and any("ERROR" in line for line in pushed.tail):
        say("not everything could be pushed; workers make what they lack")
    return partial(send, deployment=DEPLOYMENT, revision=revision)


def send(stage: str, deployment: str, revision: str) -> State[None]:
    """Have a worker reproduce a stage; gives the final state of its run."""
    parameters = {"stage": stage, "revision": revision, "params": PARAMS.read_text()}
    sent = run_deployment(name=deployment, parameters=parameters, flow_run_name=stage, poll_interval=1)
    state: State[None] | None = getattr(sent, "state", None)
    assert state is not None
    return state
