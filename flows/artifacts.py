"""What Prefect's pages show of a run beside its tasks: scores, what was rebuilt and why, and where to look further."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.graph import Stage
from flows.stages import Ledger
from flows.summary import REPORT_FILE, SUBMISSION_FILE, step_rows
from trashseg import paths
from trashseg.io import read_json
from trashseg.tracking import tracking_uri


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def miou_rows(rounds: Sequence[str]) -> list[dict[str, str]]:
    """mIoU per round and step, with its interval."""
    rows = []
    for row in step_rows(rounds):
        low, high = row["interval"] or (None, None)
        rows.append(
            {
                "round": row["round"],
                "step": row["step"],
                "out of fold": _number(row["oof"]),
                "95 %": f"{_number(low)}-{_number(high)}" if row["interval"] else "",
                "test": _number(row["test"]),
            }
        )
    return rows


def class_rows(rounds: Sequence[str]) -> list[dict[str, str]]:
    """IoU per class of each round's last step, out of fold."""
    by_class: dict[str, dict[str, str]] = {}
    for round_id in rounds:
        path = paths.evaluate(round_id) / "oof" / "metrics.json"
        steps = read_json(path)["steps"] if path.is_file() else []
        if steps and isinstance(steps[-1].get("per_class"), dict):
            for name, value in steps[-1]["per_class"].items():
                by_class.setdefault(name, {})[f"{round_id} {steps[-1]['step']}"] = _number(value)
    return [{"class": name, **values} for name, values in by_class.items()]


def stage_rows(stages: Sequence[Stage], ledger: Ledger) -> list[dict[str, str]]:
    """Each stage with what became of it and why."""
    return [
        {
            "stage": stage.name,
            "outcome": ledger.outcomes.get(stage.name, "not run"),
            "seconds": f"{ledger.seconds.get(stage.name, 0.0):.1f}",
            "why": ledger.whys.get(stage.name, ""),
        }
        for stage in stages
    ]


def links(run_id: str | None) -> str:
    """Markdown: the report, the submission, the MLflow run."""
    lines = [
        f"- {name}: `{Path.cwd() / path}`"
        for name, path in (("report", REPORT_FILE), ("submission", SUBMISSION_FILE))
        if path.is_file()
    ]
    if run_id is not None:
        uri = tracking_uri()
        where = (
            f"{uri}/#/runs/{run_id}" if uri.startswith("http") else f"run `{run_id}` of `{uri}` (`make ui` shows it)"
        )
        lines.append(f"- MLflow: {where}")
    return "\n".join(lines) or "nothing was written"


def publish(stages: Sequence[Stage], ledger: Ledger, rounds: Sequence[str], run_id: str | None) -> None:
    """Create the artifacts of the current flow run; tables without rows are left out."""
    tables: dict[str, tuple[list[dict[str, Any]], str]] = {
        "miou": (miou_rows(rounds), "mIoU per round and step"),
        "classes": (class_rows(rounds), "IoU per class, out of fold"),
        "stages": (stage_rows(stages, ledger), "What was rebuilt, and why"),
    }
    for key, (rows, description) in tables.items():
        if rows:
            create_table_artifact(table=rows, key=key, description=description)
    create_markdown_artifact(markdown=links(run_id), key="where", description="Where to look further")
