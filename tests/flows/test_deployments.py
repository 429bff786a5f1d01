"""The user's way on a real server: make deploy, a worker, a deployment run; and what is refused."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from flows.deploy import pools
from tests.flows.conftest import REPOSITORY, Toy, make_toy

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a shell of the user has: the server's address and this Python."""
    from prefect.settings import PREFECT_API_URL

    return {
        **os.environ,
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "PREFECT_HOME": str(tmp_path_factory.mktemp("home")),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TRASHSEG_TRACKING": "off",
        "TRASHSEG_CLONES": str(tmp_path_factory.mktemp("clones")),
        "DVC_NO_ANALYTICS": "1",
        "PYTHONPATH": str(REPOSITORY),
    }


@pytest.fixture(scope="module")
def deployed(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A toy checkout whose `local` deployment works in it, registered on the server."""
    toy = make_toy(tmp_path_factory.mktemp("deployed") / "toy")
    deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    local = next(entry for entry in deployments["deployments"] if entry["name"] == "local")
    local["pull"] = [{"prefect.deployments.steps.set_working_directory": {"directory": str(toy.folder)}}]
    toy.write("prefect.yaml", yaml.safe_dump({**deployments, "definitions": None, "deployments": [local]}))
    (toy.folder / "flows").symlink_to(REPOSITORY / "flows")
    command = [sys.executable, "-m", "flows.deploy"]
    done = subprocess.run(command, cwd=toy.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return toy


@pytest.fixture(scope="module")
def worker(deployed: Toy, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local"]
    with (deployed.folder / "worker.log").open("w") as log:
        process = subprocess.Popen(command, cwd=deployed.folder, env=environment, stdout=log, stderr=log)
        yield process
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


def run_deployment(environment: dict[str, str], folder: Path, *parameters: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prefect", "deployment", "run", "full-pipeline/local", *parameters]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def test_every_deployment_says_where_it_works() -> None:
    content = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    assert {entry["name"] for entry in content["deployments"]} == {"local", "gpu", "clone", "docker"}
    assert all(
        entry["pull"] and (REPOSITORY / entry["entrypoint"].split(":")[0]).is_file() for entry in content["deployments"]
    )
    assert pools(REPOSITORY / "prefect.yaml") == {"gpu": "process", "gpu-docker": "docker", "local": "process"}


def test_a_deployment_run_brings_a_checkout_up_to_date(
    deployed: Toy, worker: subprocess.Popen[bytes], environment: dict[str, str]
) -> None:
    done = run_deployment(environment, deployed.folder, "--watch", "--param", "trainings=1")
    assert done.returncode == 0, done.stdout + done.stderr + deployed.read("worker.log")[-4000:]
    assert deployed.trained == 2 and "up to date" in deployed.dvc("status")


@pytest.mark.parametrize(
    "parameters",
    [
        ("--param", 'preset="nosuch"'),
        ("--param", 'until=["trian"]'),
        ("--param", 'overrides={"refinee.iterations": [1]}'),
        ("--param", "rounds=0"),
        ("--param", 'devices=["0; rm -rf /"]'),
    ],
)
def test_a_bad_run_is_refused_when_it_is_created(
    deployed: Toy, environment: dict[str, str], parameters: tuple[str, ...]
) -> None:
    done = run_deployment(environment, deployed.folder, *parameters)
    assert done.returncode != 0 and "alidation" in done.stdout + done.stderr, done.stdout + done.stderr


def test_artifacts_of_the_run_say_what_was_rebuilt_and_why(deployed: Toy, worker: subprocess.Popen[bytes]) -> None:
    from prefect.artifacts import Artifact

    deadline = time.monotonic() + 120
    artifact = None
    while artifact is None and time.monotonic() < deadline:
        artifact = Artifact.get("stages")
        time.sleep(0.5)
    assert artifact is not None and "it has not run here yet" in str(artifact.data)


def test_the_automation_for_zombies_is_there_once(deployed: Toy, environment: dict[str, str]) -> None:
    from prefect.automations import Automation

    from flows.deploy import AUTOMATION
    from flows.outcomes import OURS

    found = Automation.read(name=AUTOMATION)
    assert found.enabled
    expected = found.trigger.expect  # type: ignore[union-attr]
    assert {f"prefect.flow-run.{name}" for name in (*OURS, "Completed", "Failed", "Crashed")} <= expected
