"""`make deploy`: prefect.yaml's deployments, the work pools they name, and the automation that ends zombie runs.

The server is the one that `PREFECT_API_URL`, or the profile in use, names.
Doing it again changes nothing but what was edited.
"""

import subprocess
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import yaml

from flows.outcomes import OURS

ZOMBIE_S = 180
AUTOMATION = "trashseg: a run without heartbeats has crashed"


def pools(path: Path = Path("prefect.yaml")) -> dict[str, str]:
    """The work pools that deployments name, and their types: docker where the name ends so, else process."""
    deployments = yaml.safe_load(path.read_text())["deployments"]
    names = {entry["work_pool"]["name"] for entry in deployments}
    return {name: "docker" if name.endswith("docker") else "process" for name in sorted(names)}


def _prefect(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "prefect", "--no-prompt", *arguments], check=True)


def make_pools(wanted: dict[str, str]) -> None:
    """Make the pools that the server lacks."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        existing = {pool.name for pool in client.read_work_pools()}
    for name, kind in wanted.items():
        if name not in existing:
            _prefect("work-pool", "create", name, "--type", kind)


def deploy(available: dict[str, str], path: Path = Path("prefect.yaml")) -> None:
    """Register the deployments whose pool is available."""
    deployments = yaml.safe_load(path.read_text())["deployments"]
    chosen = dict.fromkeys(entry["name"] for entry in deployments if entry["work_pool"]["name"] in available)
    names = [argument for name in chosen for argument in ("--name", name)]
    _prefect("deploy", "--prefect-file", str(path), *names)


def automate(zombie_s: float = ZOMBIE_S) -> None:
    """Runs send a heartbeat every 30 s (see prefect.yaml); one whose worker was killed sends none: mark it crashed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    ends = ("Completed", "Failed", "Cancelled", "Crashed", "TimedOut", *OURS)
    trigger = EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{name}" for name in ends)},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=zombie_s),
    )
    message = f"no heartbeat for {zombie_s:g} s: the worker or its machine died"
    action = ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message)
    with get_client(sync_client=True) as client:
        wanted = AutomationCore(name=AUTOMATION, description=message, trigger=trigger, actions=[action])
        for present in client.read_automations_by_name(AUTOMATION)[:1]:
            client.update_automation(present.id, wanted)
            return
        client.create_automation(wanted)


def main() -> None:
    """Pools, deployments, automation."""
    wanted = pools()
    if find_spec("prefect_docker") is None:
        left_out = [name for name, kind in wanted.items() if kind == "docker"]
        print(f"left out, because prefect-docker is not installed: pool {', '.join(left_out)}", file=sys.stderr)
        wanted = {name: kind for name, kind in wanted.items() if kind != "docker"}
    make_pools(wanted)
    deploy(wanted)
    automate()


if __name__ == "__main__":
    main()
