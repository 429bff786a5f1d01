"""`make ui`: Prefect's and MLflow's pages on loopback, until Ctrl-C.

The address of the Prefect server is left in `.prefect/pages.url`; pipeline
runs in this checkout use it instead of a temporary server of their own, so
their pages are live.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.environment import PAGES_URL
from flows.temporary_server import answers
from trashseg.io import write_text
from trashseg.tracking import comparison_page, tracking_uri

PREFECT_PORT = int(os.environ.get("TRASHSEG_PREFECT_PORT", "4200"))
MLFLOW_PORT = int(os.environ.get("TRASHSEG_MLFLOW_PORT", "5000"))
START_S = 300.0


def commands() -> dict[str, tuple[list[str], str]]:
    """Name -> (command, address that answers when it is up)."""
    prefect = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(PREFECT_PORT)]
    mlflow = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(MLFLOW_PORT)]
    mlflow += ["--backend-store-uri", tracking_uri(), "--workers", "1"]
    return {
        "Prefect": (prefect, f"http://127.0.0.1:{PREFECT_PORT}/api/health"),
        "MLflow": (mlflow, f"http://127.0.0.1:{MLFLOW_PORT}/health"),
    }


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """Both servers, up and answering; gives name -> address and stops them at the end."""
    shown = {"PREFECT_SERVER_UI_ENABLED": "true", "PREFECT_UI_ENABLED": "true"}
    # the pages ask port 4200, whatever port they came from, unless they are told
    shown["PREFECT_SERVER_UI_API_URL"] = commands()["Prefect"][1].removesuffix("/health")
    environment = {**os.environ, **shown}
    log = Path(os.environ["PREFECT_HOME"]) / "pages.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as sink:
        processes = {
            name: subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, start_new_session=True)
            for name, (command, _) in commands().items()
        }
        try:
            for name, (_, health) in commands().items():
                _wait(name, processes[name], health, log)
            addresses = {
                name: health.removesuffix("/api/health").removesuffix("/health")
                for name, (_, health) in commands().items()
            }
            write_text(PAGES_URL, addresses["Prefect"] + "/api")
            yield addresses
        finally:
            PAGES_URL.unlink(missing_ok=True)
            for process in processes.values():
                os.killpg(process.pid, signal.SIGTERM)
            for process in processes.values():
                process.wait(30)


def _wait(name: str, process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not answers(health):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"error: {name} did not start; see {log}")
        time.sleep(0.3)


def main() -> None:
    """Start both, say where they are, and wait for Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("starting the pages...", flush=True)
    try:
        with serving() as addresses:
            for name, address in addresses.items():
                print(f"{name + ':':9} {address}", flush=True)
            print(f"mIoU of every step: {comparison_page(addresses['MLflow'])}", flush=True)
            print("Ctrl-C stops them", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()
