"""Commands in groups of their own: output, time limits, and nothing left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.processes import Groups, run


def wait_gone(pid: int, seconds: float = 10) -> bool:
    """Whether a process ends within the time; a zombie has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_lines_arrive_and_the_last_ones_are_kept() -> None:
    lines: list[str] = []
    ended = run(["sh", "-c", "echo one; echo two >&2; exit 3"], lines.append)
    assert lines == ["one", "two"]
    assert ended.code == 3 and ended.tail == ("one", "two") and not ended.timed_out


def test_a_time_limit_kills_grandchildren_too(tmp_path: Path) -> None:
    script = f"sleep 100 & echo $! > {tmp_path}/pid; sh -c 'trap \"\" TERM; sleep 100'"
    ended = run(["sh", "-c", script], str, limit_s=0.5)
    assert ended.timed_out and ended.code != 0
    assert wait_gone(int((tmp_path / "pid").read_text()))


def test_what_a_command_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    ended = run(["sh", "-c", f"sleep 100 & echo $! > {tmp_path}/pid"], str)
    assert ended.code == 0
    assert wait_gone(int((tmp_path / "pid").read_text()))


def test_the_watchdog_kills_the_groups_of_a_killed_parent(tmp_path: Path) -> None:
    command = f"from flows.processes import run; run(['sh', '-c', 'echo $$ > {tmp_path}/pid; sleep 100'], str)"
    parent = subprocess.Popen([sys.executable, "-c", command])
    pid_file = tmp_path / "pid"
    while not pid_file.is_file() or not pid_file.read_text():
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert wait_gone(int(pid_file.read_text()))


def test_nothing_starts_while_everything_is_being_killed() -> None:
    groups = Groups()
    groups.kill_all()
    with pytest.raises(InterruptedError):
        groups.start(["true"], os.environ, Path())
