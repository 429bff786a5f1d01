"""Kills real flows and trainings at awkward moments: run again, it goes on and ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flows.locks import checkout_lock
from tests.flows.conftest import REPOSITORY, Toy, make_toy
from tests.flows.test_processes import wait_gone

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(900)]

SLOW_TRAINING = """\
import os, pathlib, sys, time, yaml
fold, source, out = sys.argv[1:]
pathlib.Path(f"pid{fold}").write_text(str(os.getpid()))
pathlib.Path(out).write_text("half")
for step in range(8):
    print(f"step {step} of fold {fold}", flush=True)
    time.sleep(0.5)
pathlib.Path(out).write_text(pathlib.Path(source).read_text() + f"{fold}\\n")
with open("runs.log", "a") as log:
    log.write(f"{fold}\\n")
"""


class SlowToy(Toy):
    """A toy whose trainings take four seconds, driven by the command line in processes of their own."""

    environment: dict[str, str]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "flows.full_pipeline", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def training(self, fold: int) -> int:
        """The process id of a running training; waits until it has begun."""
        file = self.folder / f"pid{fold}"
        deadline = time.monotonic() + 240
        while not (file.is_file() and file.read_text()):
            assert time.monotonic() < deadline, f"training {fold} has not begun"
            time.sleep(0.05)
        return int(file.read_text())

    @property
    def result(self) -> str:
        return self.read("artifacts/ensemble")


@pytest.fixture
def slow(tmp_path: Path, prefect_server: None) -> SlowToy:
    from prefect.settings import PREFECT_API_URL

    toy = SlowToy(make_toy(tmp_path / "toy").folder)
    toy.write("train.py", SLOW_TRAINING)
    toy.environment = {
        **os.environ,
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "PYTHONPATH": str(REPOSITORY),
        "TRASHSEG_TRACKING": "off",
        "DVC_NO_ANALYTICS": "1",
    }
    return toy


EXPECTED = "photos\n0\nphotos\n1\n"


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    output, _ = process.communicate(timeout=400)
    assert process.returncode == code, output[-6000:]
    return output


def test_a_killed_training_is_tried_again_once(slow: SlowToy) -> None:
    flow = slow.start()
    os.kill(slow.training(0), signal.SIGKILL)
    output = finish(flow)
    assert slow.result == EXPECTED and "retry" in output.lower()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_stopped_flow_leaves_nothing_running_and_goes_on_from_what_was_finished(
    slow: SlowToy, how: signal.Signals
) -> None:
    flow = slow.start("--trainings", "1")
    slow.training(0)
    second = slow.training(1) if how is signal.SIGKILL else slow.training(0)
    time.sleep(random.Random(int(how)).uniform(0, 1.5))
    flow.send_signal(how)
    flow.communicate(timeout=240)
    assert wait_gone(second, 60), "a training outlived its flow"
    trained = slow.trained
    finish(slow.start())
    assert slow.result == EXPECTED
    assert slow.trained == 2, f"{trained} folds were finished and must not train again"
    assert "up to date" in slow.dvc("status")


def test_a_stage_over_its_time_limit_is_killed_whole_and_not_tried_again(slow: SlowToy) -> None:
    slow.write("train.py", SLOW_TRAINING.replace("range(8)", "range(1000)"))
    slow.write("dvc.yaml", slow.read("dvc.yaml").replace("timeout_hours: 1", f"timeout_hours: {25 / 3600}"))
    output = finish(slow.start(), code=1)
    assert "time limit" in output and slow.trained == 0
    assert wait_gone(slow.training(0), 60) and wait_gone(slow.training(1), 60)
    assert not (slow.folder / "artifacts/train/0").exists()


def test_a_second_flow_in_a_checkout_waits_and_says_so(slow: SlowToy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(slow.folder)
    with checkout_lock(str):
        flow = slow.start()
        assert flow.stdout is not None
        assert any("waiting for its end" in line for line in iter(flow.stdout.readline, ""))
        assert not (slow.folder / "pid0").exists()
    finish(flow)
    assert slow.trained == 2 and slow.result == EXPECTED


def test_a_full_disk_fails_cleanly_and_the_next_run_goes_on(slow: SlowToy) -> None:
    steps = "for step in range(8):"
    full = "if fold == '1' and not os.path.exists('room'): open('/dev/full', 'w').write('x' * 100000)"
    slow.write("train.py", SLOW_TRAINING.replace(steps, f"{full}\n{steps}"))
    output = finish(slow.start(), code=1)
    assert "No space left on device" in output and not (slow.folder / "artifacts/train/1").exists()
    slow.write("room", "")
    finish(slow.start())
    assert slow.result == EXPECTED and slow.trained == 2


def children(process: psutil.Process, wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """The descendants of a process that `wanted` picks."""
    return [child for child in process.children(recursive=True) if wanted(child)]


def test_a_killed_server_ends_the_run_and_the_next_one_goes_on(slow: SlowToy) -> None:
    own_server = {**slow.environment, "PREFECT_CLIENT_MAX_RETRIES": "1"}
    del own_server["PREFECT_API_URL"]
    own_server["PREFECT_HOME"] = str(slow.folder / ".prefect")
    shared, slow.environment = slow.environment, own_server
    flow = slow.start("--trainings", "1")
    slow.training(0)
    for server in children(psutil.Process(flow.pid), lambda child: "uvicorn" in child.cmdline()):
        server.kill()
    try:
        flow.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        flow.kill()
        flow.communicate()
    slow.environment = shared
    finish(slow.start())
    assert slow.result == EXPECTED and slow.trained == 2
