"""A process that has imported dvc already and forks for every command.

Importing dvc costs 0.8 s of CPU, the bookkeeping of a stage 0.2 s; a run of
the sample asks dvc forty times. Each command still is a process of its own,
in a group of its own, with its own environment, folder and output.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

WARM = (
    "dvc.cli.parser",
    "dvc.commands.checkout",
    "dvc.commands.repro",
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc.lock",
    "dvc.repo.reproduce",
    "dvc.rwlock",
    "dvc.scm",
    "dvc.stage.run",
    "dvc_render",
    "psutil",
    "ruamel.yaml",
    "scmrepo.git",
)
"""What a `dvc repro` ends up importing."""

CHANNEL = "TRASHSEG_DVC_CHANNEL"


class Forked:
    """A command the server forked, used like a `subprocess.Popen`: `pid` (also its group), `stdout`, `wait`."""

    def __init__(self, status: IO[bytes], stdout: IO[str]) -> None:
        """`status` first has the process id, and at the end the exit code; a killed process writes none."""
        self._status = status
        self.stdout = stdout
        self.pid = int(status.readline() or b"0")
        self._code: int | None = None
        self._lock = threading.Lock()
        if not self.pid:
            raise ChildProcessError("the dvc server has died")

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once it has ended (-9 where it was killed); `subprocess.TimeoutExpired` after `timeout` s."""
        if self._code is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(["dvc"], timeout or 0)
        with self._lock:
            if self._code is None:
                self._code = int(self._status.readline() or -signal.SIGKILL)
        return self._code


class DvcServer:
    """The running server, started at the first command."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None

    def warm(self) -> None:
        """Start the server, so that it imports dvc while something else is going on."""
        with self._lock:
            if self._channel is None:
                self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                subprocess.Popen(
                    [sys.executable, "-m", "flows.dvc_server"],
                    cwd=Path(__file__).parents[1],
                    env={**os.environ, CHANNEL: str(theirs.fileno())},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
                theirs.close()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Forked:
        """Run `dvc ARGUMENTS` in `folder`; stderr joins stdout."""
        self.warm()
        assert self._channel is not None
        request = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder.absolute())}
        out_read, out_write = os.pipe()
        status_read, status_write = os.pipe()
        with self._lock:
            socket.send_fds(self._channel, [json.dumps(request).encode()], [out_write, status_write])
        os.close(out_write)
        os.close(status_write)
        return Forked(os.fdopen(status_read, "rb", 0), os.fdopen(out_read, encoding="utf-8", errors="replace"))


DVC = DvcServer()


def _command(request: Mapping[str, Any], out: int, status: int) -> NoReturn:
    """In the forked child: become a process of its own, run dvc, report the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.write(status, f"{os.getpid()}\n".encode())
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(str(request["folder"]))
    code = 255
    try:
        from dvc.cli import main as dvc_main

        code = dvc_main(request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os.write(status, f"{code}\n".encode())
        os._exit(code)


def serve(channel: socket.socket) -> None:
    """Fork for every request until the other end is closed."""
    for module in WARM:
        import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave at once
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1 << 20, 2)
        if not message:
            return
        if os.fork() == 0:
            channel.close()
            _command(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(os.environ[CHANNEL])))
