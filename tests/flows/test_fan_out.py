"""Two workers in two clones, a head in a third, artefacts by a remote: nothing runs twice, the bytes are the same."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from tests.flows.conftest import REPOSITORY, S3_ACCESS, Toy, make_toy

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(1200)]


TOGETHER = """\
import time
pathlib.Path({meeting!r}, f"begun-{{fold}}").touch()
while len(list(pathlib.Path({meeting!r}).glob("begun-*"))) < 2:
    time.sleep(0.1)
"""
"""A fold is trained while the other one is, too: neither worker can take both, however slow the machine."""


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], cwd=folder, check=True)


@pytest.fixture(scope="module", params=["folder", "s3"])
def remote(request: pytest.FixtureRequest, s3_server: str) -> str:
    """Where artefacts travel: a folder that all can reach, or a bucket."""
    if request.param == "s3":
        import boto3

        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=s3_server, **keys).create_bucket(Bucket="fan-out")
    return str(request.param)


@pytest.fixture(scope="module")
def environment(prefect_server: None, s3_server: str, remote: str) -> dict[str, str]:
    from prefect.settings import PREFECT_API_URL

    own = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    return {
        **own,
        **S3_ACCESS,
        "AWS_ENDPOINT_URL": s3_server,
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TRASHSEG_TRACKING": "off",
        "DVC_NO_ANALYTICS": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], remote: str) -> dict[str, Toy]:
    """The origin, cloned as `head`, `worker0` and `worker1`; a remote; `stage/gpu` registered."""
    root = tmp_path_factory.mktemp("fan-out")
    origin = make_toy(root / "origin")
    origin.write("train.py", origin.read("train.py").replace("seed = ", TOGETHER.format(meeting=str(root)) + "seed = "))
    shutil.copytree(REPOSITORY / "flows", origin.folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "presets", origin.folder / "presets")
    store = "s3://fan-out/artefacts" if remote == "s3" else str(root / "store")
    origin.dvc("remote", "add", "--default", "store", store)
    origin.write(".gitignore", "/artifacts\n/runs.log\n__pycache__/\n/.trashseg/\n")
    deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    stage = next(entry for entry in deployments["deployments"] if entry["entrypoint"].endswith("stage_here"))
    # the worker's start folder is its clone: one environment serves both clones here
    stage["pull"] = [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $TRASHSEG_CLONE }}"}}]
    origin.write("prefect.yaml", yaml.safe_dump({**deployments, "definitions": None, "deployments": [stage]}))
    git(origin.folder, "add", "-A")
    git(origin.folder, "commit", "-qm", "toy")
    toys = {"origin": origin}
    for name in ("head", "worker0", "worker1"):
        git(root, "clone", "-q", str(origin.folder), name)
        toys[name] = Toy(root / name)
    done = subprocess.run(
        [sys.executable, "-m", "flows.deploy"], cwd=toys["head"].folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return toys


@pytest.fixture(scope="module")
def workers(places: dict[str, Toy], environment: dict[str, str]) -> Iterator[None]:
    running = []
    for name in ("worker0", "worker1"):
        folder = places[name].folder
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu", "--name", name, "--limit", "1"]
        with (folder.parent / f"{name}.log").open("w") as log:
            own = {**environment, "TRASHSEG_CLONE": str(folder)}
            running.append(subprocess.Popen(command, cwd=folder, env=own, stdout=log, stderr=log))
    yield
    for process in running:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


def test_two_workers_share_the_folds_and_everything_comes_home(
    places: dict[str, Toy], workers: None, environment: dict[str, str]
) -> None:
    head = places["head"]
    command = [sys.executable, "-c", "from flows.full_pipeline import full_pipeline; full_pipeline(where='workers')"]
    done = subprocess.run(command, cwd=head.folder, env=environment, capture_output=True, text=True, timeout=1000)
    logs = "".join((head.folder.parent / f"worker{i}.log").read_text()[-3000:] for i in range(2))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:] + logs
    assert head.trained == 0, "the head trains nothing"
    assert (places["worker0"].trained, places["worker1"].trained) == (1, 1), "each fold once, one on each"
    here = places["origin"]
    here.dvc("repro")
    for name in ("dataset.txt", "train/0", "train/1", "ensemble"):
        assert head.read(f"artifacts/{name}") == here.read(f"artifacts/{name}"), "the bytes of a one-machine run"
    assert "up to date" in head.dvc("status")


def test_uncommitted_code_is_not_sent(places: dict[str, Toy], environment: dict[str, str]) -> None:
    head = places["head"]
    head.write("train.py", head.read("train.py") + "# edited\n")
    command = [sys.executable, "-c", "from flows.full_pipeline import full_pipeline; full_pipeline(where='workers')"]
    done = subprocess.run(command, cwd=head.folder, env=environment, capture_output=True, text=True, timeout=600)
    git(head.folder, "checkout", "-q", "train.py")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "train.py is not: commit it first" in said, said[-6000:]
