"""A Prefect server that lives as long as one run, for where none is running.

Prefect starts one by itself at a flow's first call, but imports its whole
server (3 s of CPU) into the flow's process to do so, and leaves it running
when that process is killed. This one starts while the plan is read, and the
watchdog ends it whatever happens to the flow.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.context import refresh_global_settings_context
from prefect.settings import get_current_settings

from flows.processes import GROUPS
from trashseg.errors import InputError

START_S = 300.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    """Whether a server there says that it is well."""
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class TemporaryServer:
    """Started when made, on a free port of loopback, where no server is set; ends with this process."""

    def __init__(self) -> None:
        """Start it, or nothing where `PREFECT_API_URL` names a server."""
        self.process: subprocess.Popen[bytes] | None = None
        if get_current_settings().api.url is not None:
            return
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}/api"
        self.log = Path(os.environ["PREFECT_HOME"]) / "server.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--lifespan", "on"]
        marks = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        with self.log.open("w") as sink:
            self.process = subprocess.Popen(
                command, env={**os.environ, **marks}, stdout=sink, stderr=sink, start_new_session=True
            )
        GROUPS.watch(self.process.pid)
        atexit.register(self.stop)  # Prefect's own exit handlers, registered later, run before: they send the last logs

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while not answers(f"{self.url}/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise InputError(f"Prefect's server did not start; see {self.log}")
            time.sleep(0.05)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Wait until it answers, and have Prefect use it in this block."""
        if self.process is None:
            yield
            return
        self._wait(self.process)
        os.environ["PREFECT_API_URL"] = self.url
        refresh_global_settings_context()  # for Prefect's own threads too: they would start a second server
        try:
            yield
        finally:
            del os.environ["PREFECT_API_URL"]
            refresh_global_settings_context()

    def stop(self) -> None:
        """Stop it; its last writes are waited for."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            GROUPS.ended(self.process.pid)
