"""Stage select: the round to ship, by out-of-fold scores alone; test scores are not opened.

Tables for `dvc plots` lie beside the choice, at places that do not depend on
the rounds' names.
"""

from typing import Any

from trashseg import paths
from trashseg.config import read_section, read_value
from trashseg.errors import run_command
from trashseg.evaluation.config import SelectConfig
from trashseg.evaluation.selection import choose, read_candidate
from trashseg.evaluation.tables import write_choice_tables
from trashseg.io import write_json


def run(rounds: list[dict[str, Any]], config: SelectConfig) -> None:
    """Write `artifacts/select/selected.json`."""
    parts = {str(entry["id"]): paths.evaluate(entry["id"]) / "oof" for entry in rounds}
    candidates = [read_candidate(part, round_id, config.metric) for round_id, part in parts.items()]
    best, reason, decisions = choose(candidates, config.min_gain)
    print(f"select: round {best.round_id}, step {best.step}: {reason}")
    content = {
        "round": best.round_id,
        "step": best.step,
        "metric": config.metric,
        "score": best.miou,
        "scores": {candidate.round_id: candidate.miou for candidate in candidates},
        "reason": reason,
        "comparisons": decisions,
    }
    write_json(paths.SELECT / "selected.json", content)
    write_choice_tables(paths.SELECT, parts, best.round_id, best.step)


def main() -> None:
    """Command line: python -m tasks.select."""
    run(read_value("rounds", list), read_section("select", SelectConfig))


if __name__ == "__main__":
    run_command(main)
