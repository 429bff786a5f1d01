"""Everything a finished pipeline holds, logged in one go: whatever the store already has is skipped."""

from collections.abc import Sequence
from pathlib import Path

from trashseg import paths
from trashseg.io import read_json
from trashseg.tracking.evaluation import log_evaluation, log_headline
from trashseg.tracking.pipeline import parent_run
from trashseg.tracking.store import attempt, connect, is_off
from trashseg.tracking.training import log_overlays, replay_training


def _log_report(folder: Path) -> None:
    client, experiment = connect()
    client.log_artifacts(parent_run(client, experiment), str(folder), "report")


def _log_member(round_id: str, model: str, fold: int) -> None:
    folder = paths.train(round_id, model, fold)
    if (folder / "metrics.json").is_file():
        run_id = replay_training(folder, round_id, model, fold)
        if run_id is not None:
            log_overlays(run_id, round_id, model, fold)


def log_results(rounds: Sequence[str], models: Sequence[str], folds: Sequence[int], report: Path | None = None) -> None:
    """Log all there is: trainings the store lacks, what each member paints, evaluations, the headline, the report.

    Reads the artefacts of the working folder. Meant for the end of a pipeline,
    and for a pipeline whose stages were restored, which ran no code that could
    log. Never raises.
    """
    if is_off():
        return
    for round_id in rounds:
        for model in models:
            for fold in folds:
                _log_member(round_id, model, fold)
        if (paths.evaluate(round_id) / "oof" / "metrics.json").is_file():
            log_evaluation(round_id, paths.evaluate(round_id))
    if (paths.SELECT / "selected.json").is_file():
        selected = read_json(paths.SELECT / "selected.json")
        log_headline(selected["round"], selected["step"], paths.evaluate(selected["round"]))
    if report is not None:
        attempt("the report", lambda: _log_report(report))
