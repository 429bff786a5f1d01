"""The MLflow store: where it is, one client per process, and what happens when it fails.

`MlflowClient` with explicit run ids, never the fluent API, whose current run
is a global that threads share. A store is opened under a lock of this
checkout, because two processes that migrate one fresh SQLite file at the same
time both fail.
"""

import fcntl
import logging
import os
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trashseg.tracking.view import EXPERIMENT_TAGS, experiment_name

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

T = TypeVar("T")

LOCK = Path(".trashseg") / "tracking.lock"
LOCKED_PATIENCE_S = 60.0

# A training must not wait minutes for a server that is away, nothing is sent to anyone else, no bar among our lines.
QUICK_AND_PRIVATE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class TrackingOff(Exception):
    """Tracking was switched off by `TRASHSEG_TRACKING=off`."""


def tracking_uri() -> str:
    """Where runs are kept: `MLFLOW_TRACKING_URI`, or `mlflow.db` in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"


@contextmanager
def store_at(uri: str) -> Iterator[None]:
    """Inside, runs are kept at `uri`, and tracking is on whatever the environment says."""
    given = {"MLFLOW_TRACKING_URI": uri, "TRASHSEG_TRACKING": "on"}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def artifacts_of(uri: str) -> Path:
    """Where the files of a database's runs lie: beside it, and in the working folder where it is a server's."""
    folder = Path(uri.removeprefix("sqlite:///")).parent if uri.startswith("sqlite:///") else Path.cwd()
    return folder.absolute() / "mlartifacts"


def is_off() -> bool:
    """Whether the environment switches tracking off."""
    return os.environ.get("TRASHSEG_TRACKING", "on").lower() in ("off", "0", "false")


@contextmanager
def checkout_lock() -> Iterator[None]:
    """Exclude the other processes of this checkout for a moment."""
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@lru_cache(maxsize=8)
def _open(uri: str, name: str, artifacts: str) -> tuple["MlflowClient", str]:
    for variable, value in QUICK_AND_PRIVATE.items():
        os.environ.setdefault(variable, value)
    from mlflow.tracking.client import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # migrations are announced line by line
    with checkout_lock():
        client = MlflowClient(uri, registry_uri=uri)
        found = client.get_experiment_by_name(name)
        if found is not None:
            for key, value in EXPERIMENT_TAGS.items():
                if key not in found.tags:
                    client.set_experiment_tag(found.experiment_id, key, value)
            return client, str(found.experiment_id)
        # a database holds no files; a server has its own place for them
        location = None if uri.startswith("http") else artifacts
        return client, str(client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS))


def connect() -> tuple["MlflowClient", str]:
    """The client and the id of the project's experiment (`MLFLOW_EXPERIMENT_NAME`, else `trashseg`)."""
    if is_off():
        raise TrackingOff
    uri = tracking_uri()
    return _open(uri, experiment_name(), artifacts_of(uri).as_uri())


def patiently(action: Callable[[], T]) -> T:
    """`action()`, tried again while another process holds the SQLite store's write lock."""
    deadline = time.monotonic() + LOCKED_PATIENCE_S
    while True:
        try:
            return action()
        except Exception as error:
            if "database is locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.05, 0.5))  # spreads the processes, decides nothing


def attempt(what: str, action: Callable[[], T]) -> T | None:
    """`action()`, or None and a warning that says what was not tracked; silent where tracking is off."""
    try:
        return patiently(action)
    except TrackingOff:
        return None
    except Exception as error:  # whatever the store or the network raises: it must not end a training
        reason = " ".join(str(error).split())[:300]
        warnings.warn(f"MLflow at {tracking_uri()}: {what} was not tracked: {reason}", stacklevel=2)
        return None
