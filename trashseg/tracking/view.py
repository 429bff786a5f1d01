"""The page that compares every step at a glance: a view stored with the experiment, opened by its address.

MLflow keeps shared views as tags of the experiment. Ours shows the evaluation
runs alone, best out-of-fold mIoU first, with the columns that matter.
"""

import json
import os
import urllib.parse
import urllib.request

EXPERIMENT = "trashseg"
STEPS = "steps"
COLUMNS = ("oof_miou", "oof_miou_low", "oof_miou_high", "oof_miou_256", "test_miou", "test_miou_256")

_VIEW = {
    "searchFilter": "tags.kind = 'evaluation'",
    "orderByKey": "metrics.`oof_miou`",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": [f"metrics.`{name}`" for name in COLUMNS],
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runListHidden": False,
}

EXPERIMENT_TAGS = {
    f"mlflow.sharedViewState.{STEPS}": json.dumps(_VIEW),
    "mlflow.experimentKind": "custom_model_development",  # the page of trainings, not that of language models
}


def experiment_name() -> str:
    """`MLFLOW_EXPERIMENT_NAME`, else `trashseg`."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT


def comparison_page(server: str) -> str:
    """The address of the comparison on a running MLflow server (`http://127.0.0.1:5000`).

    The server's own address where it has no such experiment yet, or does not answer.
    """
    query = urllib.parse.urlencode({"experiment_name": experiment_name()})
    try:
        with urllib.request.urlopen(f"{server}/api/2.0/mlflow/experiments/get-by-name?{query}", timeout=10) as response:
            identity = json.load(response)["experiment"]["experiment_id"]
    except (OSError, ValueError, KeyError):
        return server
    return f"{server}/#/experiments/{identity}/runs?viewStateShareKey={STEPS}"
