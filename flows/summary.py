"""What a pipeline run ends with on the terminal: mIoU per step and round, and where things lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trashseg import paths
from trashseg.io import read_json

REPORT_FILE = paths.REPORT / "index.html"
SUBMISSION_FILE = paths.SUBMISSION / "submission.csv"


def step_rows(rounds: Sequence[str]) -> list[dict[str, Any]]:
    """One row per evaluated round and step: `round`, `step`, `oof`, `interval`, and `test`, None where unknown."""
    rows = []
    for round_id in rounds:
        oof = paths.evaluate(round_id) / "oof" / "metrics.json"
        test = paths.evaluate(round_id) / "test" / "metrics.json"
        if not oof.is_file():
            continue
        on_test = {step["step"]: step for step in (read_json(test).get("steps", []) if test.is_file() else [])}
        for step in read_json(oof)["steps"]:
            scored = on_test.get(step["step"], {})
            rows.append(
                {
                    "round": round_id,
                    "step": step["step"],
                    "oof": step["miou"],
                    "interval": step.get("interval"),
                    "test": scored.get("miou"),
                    "test_interval": scored.get("interval"),
                }
            )
    return rows


def _cell(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return ""
    if not interval:
        return f"{value:.3f}"
    return f"{value:.3f} [dim]{interval[0]:.3f}-{interval[1]:.3f}[/dim]"


def miou_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows as a table for a terminal, 95 % intervals beside each mIoU."""
    table = Table(title="mIoU per step (95 % interval)")
    table.add_column("round")
    table.add_column("step")
    table.add_column("out of fold", justify="right")
    table.add_column("test", justify="right")
    before = None
    for row in rows:
        if before is not None and row["round"] != before:
            table.add_section()
        before = row["round"]
        oof, test = _cell(row["oof"], row["interval"]), _cell(row["test"], row["test_interval"])
        table.add_row(row["round"], row["step"], oof, test)
    return table


def outcome_sentence(outcomes: dict[str, str], seconds: float) -> str:
    """`34 stages in 12.3 s: 30 cached, 4 reproduced`."""
    counts = {name: list(outcomes.values()).count(name) for name in ("Cached", "Restored", "Reproduced")}
    done = ", ".join(f"{count} {name.lower()}" for name, count in counts.items() if count)
    return f"{len(outcomes)} stages in {seconds:.1f} s: {done or 'nothing done'}"


def show(rounds: Sequence[str], outcomes: dict[str, str], seconds: float) -> None:
    """Print the table, the outcome, the paths and the command that opens the pages."""
    console = Console()
    rows = step_rows(rounds)
    if rows:
        console.print(miou_table(rows))
    if (paths.SELECT / "selected.json").is_file():
        selected = read_json(paths.SELECT / "selected.json")
        console.print(f"selected:   round {selected['round']}, step {selected['step']}", highlight=False)
    for name, path in (("report", REPORT_FILE), ("submission", SUBMISSION_FILE)):
        if path.is_file():
            console.print(f"{name + ':':11} {Path.cwd() / path}", highlight=False, soft_wrap=True)
    console.print(f"pages:      make ui   ({outcome_sentence(outcomes, seconds)})", highlight=False, soft_wrap=True)
