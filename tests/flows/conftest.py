"""Toy repositories: a small DVC graph of shell commands, shaped like the real one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]

TOY_GRAPH = """\
stages:
  dataset:
    cmd: mkdir -p artifacts && cp source.txt artifacts/dataset.txt
    deps: [source.txt]
    outs: [artifacts/dataset.txt]
  train:
    matrix: {fold: '${folds}'}
    cmd: >-
      mkdir -p artifacts/train && python train.py ${item.fold} artifacts/dataset.txt artifacts/train/${item.fold}
    deps: [artifacts/dataset.txt, train.py]
    params: [seed]
    outs: ['artifacts/train/${item.fold}']
    meta: {pool: gpu, retries: 1, timeout_hours: 1}
  ensemble:
    cmd: cat artifacts/train/* > artifacts/ensemble
    deps: [artifacts/train]
    outs: [artifacts/ensemble]
"""

TOY_TRAINING = """\
import pathlib, sys, yaml
fold, source, out = sys.argv[1:]
seed = yaml.safe_load(open("params.yaml"))["seed"]
print(f"epoch 1 of fold {fold}", flush=True)
if seed == 13:
    sys.exit("seed is bad")
pathlib.Path(out).write_text(pathlib.Path(source).read_text() + f"{fold} {seed}\\n")
with open("runs.log", "a") as log:
    log.write(f"{fold}\\n")
"""


class Toy:
    """A DVC repository in a folder of its own, and a count of the trainings that really ran in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def dvc(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "dvc", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def seed(self, value: float) -> None:
        """The sample's params.yaml with two folds, this seed, and the toy's data."""
        values = yaml.safe_load((REPOSITORY / "presets" / "sample.yaml").read_text())
        values |= {"seed": value, "folds": [0, 1], "data": {"source": "coco", "root": "source.txt"}}
        self.write("params.yaml", yaml.safe_dump(values))

    @property
    def trained(self) -> int:
        log = self.folder / "runs.log"
        return len(log.read_text().splitlines()) if log.is_file() else 0


def make_toy(folder: Path) -> Toy:
    """The toy graph with two folds, nothing run yet."""
    folder.mkdir(parents=True, exist_ok=True)
    toy = Toy(folder)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    toy.dvc("init", "-q")
    toy.write("dvc.yaml", TOY_GRAPH)
    toy.seed(1)
    toy.write("train.py", TOY_TRAINING)
    toy.write("source.txt", "photos\n")
    return toy


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A toy repository that is the working folder; `python` in its commands is this Python."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    toy = make_toy(tmp_path / "toy")
    monkeypatch.chdir(toy.folder)
    return toy


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server on loopback (moto); gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


S3_ACCESS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bucket `photos`, empty, as `s3://photos` in this environment."""
    import boto3

    for name, value in {**S3_ACCESS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    bucket = boto3.resource("s3", endpoint_url=s3_server).Bucket("photos")
    if bucket.creation_date is None:
        bucket.create()
    bucket.objects.all().delete()
    return "s3://photos"
