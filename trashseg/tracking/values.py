"""Params, metrics and tags in the shape MLflow takes: flat, named within its limits, in batches.

MLflow refuses metric names with `&`, `(` or `)` and names that look like odd
paths, cuts long params, and takes a param logged again with another value for
an error.
"""

import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

PARAM_LIMIT = 6000
NAME_LIMIT = 250
METRICS_IN_A_BATCH = 1000
PARAMS_IN_A_BATCH = 100


def clean(name: str) -> str:
    """A name MLflow takes, for one part of a metric: `Paper & card (wet)` becomes `Paper + card -wet-`."""
    text = re.sub(r"[^\w\-. :]", "-", name.replace("&", "and")).strip(". ")
    return text[:NAME_LIMIT] or "-"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested params as `{"train.epochs": "5"}`; lists are written as they are."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{clean(str(key))}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name[:NAME_LIMIT]] = str(value)[:PARAM_LIMIT]
    return flat


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The entries of `values` that are finite numbers, as metrics."""
    found = {}
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found["/".join(clean(part) for part in name.split("/"))] = float(value)
    return found


def _slices(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def log_metrics(client: "MlflowClient", run_id: str, steps: Mapping[int, Mapping[str, float]]) -> None:
    """Log `{step: {name: value}}`."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, step) for step, row in steps.items() for name, value in row.items()]
    for part in _slices(metrics, METRICS_IN_A_BATCH):
        client.log_batch(run_id, metrics=part)


def log_params(client: "MlflowClient", run_id: str, params: Mapping[str, Any]) -> None:
    """Log the params a run does not have yet; the ones it has stay as they are."""
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    new = [Param(name, value) for name, value in flatten(params).items() if name not in known]
    for part in _slices(new, PARAMS_IN_A_BATCH):
        client.log_batch(run_id, params=part)


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, object]) -> None:
    """Set tags; None values are left out."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in tags.items() if value is not None])
