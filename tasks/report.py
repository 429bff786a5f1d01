"""Stage report: one HTML page of what came out, how good it is and where it fails.

Under plain `dvc repro` it is also the moment when the whole pipeline is
logged to MLflow; below a flow the flow does that.
"""

import argparse
import os
from collections.abc import Sequence

from trashseg import paths, tracking
from trashseg.config import read_section, read_value
from trashseg.errors import run_command
from trashseg.io import write_text
from trashseg.report.config import ReportConfig
from trashseg.report.page import build_page


def run(rounds: Sequence[str], models: Sequence[str], config: ReportConfig) -> None:
    """Write `artifacts/report/index.html`."""
    page = build_page(rounds, models, config)
    write_text(paths.REPORT / "index.html", page)
    print(f"report: {paths.REPORT / 'index.html'}, {len(page.encode()) / 1e6:.1f} MB")


def main() -> None:
    """Command line: python -m tasks.report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rounds = [entry["id"] for entry in read_value("rounds", list)]
    models, folds = read_value("models", list), read_value("folds", list)
    run(rounds, models, read_section("report", ReportConfig))
    if tracking.PARENT_VARIABLE not in os.environ:
        tracking.log_results(rounds, models, folds, report=paths.REPORT)


if __name__ == "__main__":
    run_command(main)
