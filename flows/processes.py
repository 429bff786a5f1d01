"""Commands in process groups of their own: read line by line, limited in time, killed whole.

SIGTERM to `dvc` leaves the training it started running, and a thread that
waits for a process cannot be interrupted; so it is always the group that is
killed, and a watchdog does it where this process can no longer.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

from flows.dvc_server import DVC, Forked

Process = subprocess.Popen[str] | Forked

TAIL_LINES = 30
GRACE_S = 5.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal), its last output lines and its wall time."""

    code: int
    tail: tuple[str, ...]
    seconds: float
    timed_out: bool


class Groups:
    """The process groups that are running; all of them die with this process."""

    def __init__(self) -> None:
        """Nothing runs, and the watchdog is not started before something does."""
        self._lock = threading.Lock()
        self._alive: set[int] = set()
        self._closed = False
        self._watchdog: subprocess.Popen[bytes] | None = None

    def _tell(self, line: str) -> None:
        if self._watchdog is None:
            command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py"))]
            # its own session: a Ctrl-C on the terminal must not reach it before its work is done
            self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(line.encode())
        self._watchdog.stdin.flush()

    def start(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
        """Start a command as the leader of a new group; stderr joins stdout. `dvc` is forked from a warm process."""
        with self._lock:
            if self._closed:
                raise InterruptedError("the run is being stopped")
            begin = _fork_dvc if command[0] == "dvc" else _spawn
            process = begin(command, environment, folder)
            self._alive.add(process.pid)
            self._tell(f"+{process.pid}\n")
        return process

    def watch(self, group: int) -> None:
        """Have the watchdog kill a group that something else started, if this process dies first."""
        with self._lock:
            self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """The group's leader has ended: kill what it left behind and forget it."""
        with self._lock:
            kill_group(group)
            self._alive.discard(group)
            self._tell(f"-{group}\n")

    def kill_all(self) -> None:
        """Stop everything, and start nothing more until `reopen`."""
        with self._lock:
            self._closed = True
            for group in self._alive:
                kill_group(group)

    def reopen(self) -> None:
        """Allow starts again after `kill_all`."""
        self._closed = False


def kill_group(group: int, how: int = signal.SIGKILL) -> None:
    """Signal every process of a group, where any is left."""
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        return


def _fork_dvc(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
    return DVC.start(command[1:], environment, folder)


def _spawn(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Process:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


GROUPS = Groups()


def run(
    command: Sequence[str],
    on_line: Callable[[str], object],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path(),
    limit_s: float = float("inf"),
) -> Ended:
    """Run a command to its end, handing each output line to `on_line`.

    After `limit_s` the group is terminated, and killed `GRACE_S` later.
    """
    start = time.monotonic()
    process = GROUPS.start(command, os.environ if environment is None else environment, folder)
    timed_out = threading.Event()
    limit = threading.Thread(target=_limit, args=(process, limit_s, timed_out), daemon=True)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    # in this context: Prefect's settings are part of it, and its loggers start what sends their lines at the first one
    reader = threading.Thread(target=copy_context().run, args=(_read, process, tail, on_line), daemon=True)
    reader.start()
    limit.start()
    try:
        code = process.wait()
    finally:
        GROUPS.ended(process.pid)
    reader.join()
    return Ended(code, tuple(tail), time.monotonic() - start, timed_out.is_set())


def _read(process: Process, tail: deque[str], on_line: Callable[[str], object]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        text = line.rstrip()
        if text:
            tail.append(text)
            on_line(text)


def _limit(process: Process, limit_s: float, timed_out: threading.Event) -> None:
    try:
        process.wait(None if limit_s == float("inf") else limit_s)
    except subprocess.TimeoutExpired:
        timed_out.set()
        kill_group(process.pid, signal.SIGTERM)
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            kill_group(process.pid)
