"""What a pipeline run needs from its environment, set before prefect is imported.

`python -m flows.full_pipeline` keeps Prefect's records in the checkout's
`.prefect` and starts a temporary server of its own. Where `PREFECT_API_URL`
is set, or a worker has imported prefect already, the settings are theirs.
"""

import os
import sys
import urllib.request
from pathlib import Path

DEFAULTS = {
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}

TEMPORARY_SERVER = {
    "PREFECT_HOME": str(Path.cwd() / ".prefect"),
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    # a fresh database, or a busy machine, overruns the default of 30 s
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    # no part of a pipeline run needs these, and they take seconds to start
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
}

PAGES_URL = Path(TEMPORARY_SERVER["PREFECT_HOME"]) / "pages.url"
"""Address of the server that `make ui` keeps up in this checkout, where it does."""


def _pages_api() -> str | None:
    """The API of this checkout's `make ui`, where it answers."""
    if not PAGES_URL.is_file():
        return None
    address = PAGES_URL.read_text().strip()
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):
            return address
    except OSError:  # left behind by one that was killed
        return None


def _own_bin() -> Path:
    """Where stages find `python`: a clone's own environment where it has one, else the one that runs this."""
    clone = Path.cwd() / ".venv" / "bin"
    return clone if (clone / "python").exists() else Path(sys.executable).parent


def prepare() -> None:
    """Fill in what is not set, and let `python` in dvc.yaml be this Python."""
    settings = dict(DEFAULTS)
    if not os.environ.get("PREFECT_API_URL") and "prefect" not in sys.modules:
        settings |= TEMPORARY_SERVER
        if address := _pages_api():
            settings["PREFECT_API_URL"] = address
    for variable, value in settings.items():
        os.environ.setdefault(variable, value)
    own_bin = str(_own_bin())
    path = os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != own_bin:
        os.environ["PATH"] = own_bin + os.pathsep + path
