"""A worker and its runs under a server of its own: cancelled, killed; nothing goes on, nothing blocks the next run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.flows.conftest import REPOSITORY, make_toy
from tests.flows.test_faults import EXPECTED, SLOW_TRAINING, SlowToy
from tests.flows.test_processes import wait_gone
from tests.flows.test_servers import free_port, running

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

# 30 s between heartbeats is the least that Prefect allows; one may come late on a busy machine
ZOMBIE_S = 75

PATIENT_TRAINING = SLOW_TRAINING.replace("range(8)", "range(1 if os.path.exists('quick') else 1000)")
"""Trains until it is killed; once there is a file `quick`, for half a second."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A shell of the user's, with a server that runs all of Prefect's services: the harness has no automations."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "TRASHSEG_TRACKING": "off",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    api = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, own, f"{api}/health", folder / "server.log"):
        yield {**own, "PREFECT_API_URL": api}


class Deployed(SlowToy):
    """A slow toy with the shipped `full-pipeline/local`, its automation made impatient, and a worker."""

    def do(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self) -> list[dict[str, Any]]:
        """The flow runs of the server, oldest first: id, state, message."""
        script = (
            "import json; from prefect.client.orchestration import get_client as c\n"
            "with c(sync_client=True) as client:\n"
            "    runs = sorted(client.read_flow_runs(), key=lambda run: run.created)\n"
            "print(json.dumps([[str(r.id), r.state_name, r.state and r.state.message] for r in runs]))"
        )
        return [
            {"id": run[0], "state": run[1], "message": run[2]} for run in yaml.safe_load(self.do("-c", script).strip())
        ]

    def worker(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local"]
        with (self.folder / "worker.log").open("a") as log:
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)

    def ask(self) -> None:
        self.do("-m", "prefect", "deployment", "run", "full-pipeline/local")

    def until_scheduled(self, before: int, seconds: float = 500) -> None:
        """Wait for the server's scheduler, which looks once a minute."""
        deadline = time.monotonic() + seconds
        while len(self.runs()) <= before:
            assert time.monotonic() < deadline, "the scheduler started nothing"
            time.sleep(2)

    def until(self, wanted: Callable[[list[dict[str, Any]]], bool], seconds: float = 500) -> list[dict[str, Any]]:
        """The runs, once they are as wanted."""
        deadline = time.monotonic() + seconds
        while not wanted(runs := self.runs()):
            assert time.monotonic() < deadline, f"{runs}\n{self.read('worker.log')[-3000:]}"
            time.sleep(1)
        return runs


def end(process: "subprocess.Popen[bytes]") -> None:
    for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()


@pytest.fixture
def deployed(tmp_path: Path, environment: dict[str, str]) -> Deployed:
    toy = Deployed(make_toy(tmp_path / "toy").folder)
    toy.environment = environment
    toy.write("train.py", PATIENT_TRAINING)
    deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    local = next(entry for entry in deployments["deployments"] if entry["name"] == "local")
    local["pull"] = [{"prefect.deployments.steps.set_working_directory": {"directory": str(toy.folder)}}]
    toy.write("prefect.yaml", yaml.safe_dump({**deployments, "definitions": None, "deployments": [local]}))
    (toy.folder / "flows").symlink_to(REPOSITORY / "flows")
    toy.do("-m", "flows.deploy")
    toy.do("-c", f"from flows.deploy import automate; automate({ZOMBIE_S})")
    return toy


def test_cancelling_a_run_stops_every_child(deployed: Deployed) -> None:
    worker = deployed.worker()
    try:
        deployed.ask()
        trainings = [deployed.training(0), deployed.training(1)]
        run = deployed.runs()[-1]
        deployed.do("-m", "prefect", "flow-run", "cancel", run["id"])
        assert all(wait_gone(training, 60) for training in trainings), "a training outlived its cancelled run"
        deployed.until(lambda runs: runs[-1]["state"] == "Cancelled")
        assert not (deployed.folder / "artifacts/ensemble").exists()
        deployed.write("quick", "")
        deployed.ask()
        deployed.until(lambda runs: runs[-1]["state"] == "Completed")
        assert deployed.result == EXPECTED and deployed.trained == 2
    finally:
        end(worker)


def test_a_run_whose_worker_was_killed_is_marked_and_does_not_block_the_next(deployed: Deployed) -> None:
    worker = deployed.worker()
    deployed.ask()
    trainings = [deployed.training(0), deployed.training(1)]
    before = len(deployed.runs())
    own = [process.pid for process in psutil.Process(worker.pid).children(recursive=False)]
    for pid in (worker.pid, *own):  # as when the machine's memory ran out: nobody is left to say how it ended
        os.kill(pid, signal.SIGKILL)
    worker.wait()
    assert all(wait_gone(training, 60) for training in trainings), "a training outlived its flow"
    deployed.write("quick", "")
    deployed.ask()
    again = deployed.worker()
    try:
        runs = deployed.until(lambda runs: runs[before - 1]["state"] == "Crashed")
        assert "no heartbeat" in runs[before - 1]["message"]
        deployed.until(lambda runs: runs[-1]["state"] == "Completed")
        assert deployed.result == EXPECTED and deployed.trained == 2
        assert "up to date" in deployed.dvc("status")
    finally:
        end(again)
    time.sleep(ZOMBIE_S + 10)
    assert deployed.runs()[-1]["state"] == "Completed", "a run that has ended is left alone"


def test_a_schedule_starts_runs(deployed: Deployed) -> None:
    before = len(deployed.runs())
    deployed.do("-m", "prefect", "deployment", "schedule", "create", "full-pipeline/local", "--interval", "600")
    deployed.until_scheduled(before)
    deployed.do(
        "-m", "prefect", "--no-prompt", "deployment", "schedule", "clear", "full-pipeline/local", "--accept-yes"
    )
