"""The services of docker/compose.yaml by hand: Prefect and MLflow on a real PostgreSQL, with S3, with passwords."""

import base64
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.flows.conftest import REPOSITORY, S3_ACCESS, make_toy

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

START_S = 400


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status(url: str, user: str | None = None) -> int:
    """The HTTP status of a GET, 0 where nobody answers."""
    request = urllib.request.Request(url)
    if user is not None:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@contextmanager
def running(command: list[str], environment: dict[str, str], health: str, log: Path) -> Iterator[None]:
    """A service of the user's, up and answering; ended with all its children."""
    with log.open("w") as sink:
        process = subprocess.Popen(command, cwd=log.parent, env=environment, stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + START_S
        while status(health) != 200:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.3)
        yield
    finally:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            child.kill()
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """(password, port) of a PostgreSQL of its own, made with the SQL that the compose file mounts."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    folder = Path("/tmp") / f"trashseg-postgres-{os.getpid()}"  # PostgreSQL's user may not enter pytest's folders
    folder.mkdir(mode=0o755)
    as_user: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    password, port, bin_folder = secrets.token_urlsafe(16), free_port(), Path(initdb).resolve().parent
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o644)

    def do(*command: str, **environment: str) -> None:
        done = subprocess.run(
            [*as_user, *command], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data = folder / "data"
    flags = ["-D", str(data), "-U", "trashseg", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    do(str(bin_folder / "initdb"), *flags)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    do(str(bin_folder / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        psql = [str(bin_folder / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "trashseg", "-d", "postgres"]
        do(*psql, "-c", "CREATE DATABASE prefect", PGPASSWORD=password)
        do(*psql, "-c", (REPOSITORY / "docker" / "create-mlflow-database.sql").read_text(), PGPASSWORD=password)
        yield password, port
    finally:
        do(str(bin_folder / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def service(name: str, port: int, postgres: tuple[str, int], auth: str) -> tuple[list[str], dict[str, str]]:
    """(command, environment) of a service of the compose file, its hosts and ports made this machine's."""
    password, postgres_port = postgres
    described: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())["services"][name]

    def here(text: str) -> str:
        given = text.replace("${POSTGRES_PASSWORD}", password).replace("${PREFECT_AUTH}", auth)
        given = given.replace("${PREFECT_AUTH:?set PREFECT_AUTH=user:password in docker/.env}", auth)
        given = given.replace("postgres:5432", f"127.0.0.1:{postgres_port}").replace("0.0.0.0", "127.0.0.1")
        for usual in ("4200", "5000"):
            given = given.replace(usual, str(port))
        return given

    command = [here(str(part)) for part in described["command"]]
    environment = {
        name: here(str(value))
        for name, value in described["environment"].items()
        if not str(value).startswith("${STORE")
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return command, {**own, "PATH": path, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", **environment}


def test_prefect_on_postgresql_with_a_password_runs_a_deployment(postgres: tuple[str, int], tmp_path: Path) -> None:
    auth, port = f"ann:{secrets.token_urlsafe(12)}", free_port()
    command, environment = service("prefect", port, postgres, auth)
    environment["PREFECT_HOME"] = str(tmp_path / "server")
    api = f"http://127.0.0.1:{port}/api"
    with running(command, environment, f"{api}/health", tmp_path / "server.log"):
        assert status(f"{api}/admin/version") == 401
        assert status(f"{api}/admin/version", "ann:wrong") == 401
        assert status(f"{api}/admin/version", auth) == 200
        toy = make_toy(tmp_path / "toy")
        deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
        local = next(
            d for d in deployments["deployments"] if d["name"] == "local" and "full_pipeline" in d["entrypoint"]
        )
        local["pull"] = [{"prefect.deployments.steps.set_working_directory": {"directory": str(toy.folder)}}]
        toy.write("prefect.yaml", yaml.safe_dump({**deployments, "definitions": None, "deployments": [local]}))
        (toy.folder / "flows").symlink_to(REPOSITORY / "flows")
        user = {
            **environment,
            "PREFECT_API_URL": api,
            "PREFECT_HOME": str(tmp_path / "user"),
            "TRASHSEG_TRACKING": "off",
            "PYTHONPATH": str(REPOSITORY),
        }
        user.pop("PREFECT_API_DATABASE_CONNECTION_URL")
        user.pop("PREFECT_SERVER_API_AUTH_STRING")

        def do(*command: str, code: int = 0, **changed: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", *command],
                cwd=toy.folder,
                env={**user, **changed},
                capture_output=True,
                text=True,
            )
            assert done.returncode == code, done.stdout + done.stderr
            return done.stdout

        do("flows.deploy")
        do("prefect", "deployment", "ls", code=1, PREFECT_API_AUTH_STRING="ann:wrong")
        do("prefect", "deployment", "run", "full-pipeline/local", "--param", "trainings=1")
        do("prefect", "worker", "start", "--pool", "local", "--run-once")
        deadline = time.monotonic() + 300
        while not (toy.folder / "artifacts/ensemble").is_file():
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()[-3000:]
            time.sleep(0.5)
    assert toy.trained == 2


def test_mlflow_on_postgresql_keeps_runs_there_and_files_in_s3(
    postgres: tuple[str, int], s3_server: str, tmp_path: Path
) -> None:
    import boto3

    access = {**S3_ACCESS, "AWS_ENDPOINT_URL": s3_server, "MLFLOW_S3_ENDPOINT_URL": s3_server}
    made = [sys.executable, str(REPOSITORY / "docker" / "make_buckets.py"), s3_server, "trashseg", "mlflow"]
    for _ in range(2):  # the second time they are there
        subprocess.run(made, env={**os.environ, **access}, check=True)
    port = free_port()
    command, environment = service("mlflow", port, postgres, "")
    command.append("--workers=1")  # more of them only start more slowly here
    environment = {**environment, **access, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment.pop("AWS_CA_BUNDLE", None)
    url = f"http://127.0.0.1:{port}"
    script = """
from trashseg import tracking
with tracking.pipeline_run("by hand") as run_id:
    print("run", run_id)
"""
    with running(command, environment, f"{url}/health", tmp_path / "mlflow.log"):
        (tmp_path / "params.yaml").write_text("seed: 0\n")
        user = {**os.environ, "MLFLOW_TRACKING_URI": url, "TRASHSEG_TRACKING": "on", "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=user, capture_output=True, text=True)
        (run_id,) = [line.removeprefix("run ") for line in done.stdout.splitlines() if line.startswith("run ")]
        assert done.returncode == 0 and run_id != "None", done.stdout + done.stderr
    stored = boto3.client(
        "s3", endpoint_url=s3_server, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    ).list_objects_v2(Bucket="mlflow")
    assert any(f"{run_id}/artifacts/params.yaml" in entry["Key"] for entry in stored.get("Contents", []))
    assert not (tmp_path / "mlflow.db").exists()
