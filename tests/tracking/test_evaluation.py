"""Evaluated steps as runs below their pipeline run."""

import json
from pathlib import Path

import pytest

from trashseg import tracking
from trashseg.tracking.store import connect


def test_every_step_is_a_run_and_sorts_by_score(checkout: Path, evaluation: Path) -> None:
    with tracking.pipeline_run("demo") as parent, pytest.MonkeyPatch.context() as patch:
        patch.setenv(tracking.PARENT_VARIABLE, parent or "")
        tracking.log_evaluation("r0", evaluation)
        tracking.log_evaluation("r0", evaluation)
    client, experiment = connect()
    runs = client.search_runs([experiment], "tags.kind = 'evaluation'", order_by=["metrics.oof_miou DESC"])
    names = [run.data.tags["mlflow.runName"] for run in runs]
    assert names == ["r0 crf", "r0 ensemble", "r0 unet folds", "r0 member unet/0"]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent}
    assert runs[0].data.metrics["oof_miou"] == 0.56
    assert runs[0].data.metrics["test_miou"] == pytest.approx(0.51)
    assert runs[0].data.metrics["oof_miou_low"] == pytest.approx(0.46)
    assert runs[0].data.metrics["oof_iou/Paper"] == 0.56
    assert "oof_iou/Metal" not in runs[0].data.metrics
    assert [item.path for item in client.list_artifacts(runs[0].info.run_id, "oof")] == [
        "oof/confusion.csv",
        "oof/metrics.json",
        "oof/plots",
    ]
    plots = client.list_artifacts(runs[0].info.run_id, "oof/plots")
    assert [item.path for item in plots] == ["oof/plots/confusion.svg"]


def test_experiment_has_the_view_that_compares_steps(checkout: Path, evaluation: Path) -> None:
    tracking.log_evaluation("r0", evaluation)
    client, experiment = connect()
    view = json.loads(client.get_experiment(experiment).tags["mlflow.sharedViewState.steps"])
    assert view["orderByKey"] == "metrics.`oof_miou`"
    shown = {column.split("`")[1] for column in view["selectedColumns"]}
    assert shown <= set(client.search_runs([experiment], view["searchFilter"])[0].data.metrics)


def test_comparison_page_of_no_server_is_its_address() -> None:
    assert tracking.comparison_page("http://127.0.0.1:9") == "http://127.0.0.1:9"


def test_scores_of_an_earlier_pipeline_run_are_not_repeated(checkout: Path, evaluation: Path) -> None:
    tracking.log_evaluation("r0", evaluation)
    with tracking.pipeline_run("another") as parent, pytest.MonkeyPatch.context() as patch:
        patch.setenv(tracking.PARENT_VARIABLE, parent or "")
        tracking.log_evaluation("r0", evaluation)
    client, experiment = connect()
    assert len(client.search_runs([experiment], "tags.kind = 'evaluation'")) == 4


def test_changed_scores_update_the_run(checkout: Path, evaluation: Path) -> None:
    tracking.log_evaluation("r0", evaluation)
    path = evaluation / "oof/metrics.json"
    path.write_text(path.read_text().replace("0.56", "0.6"))
    tracking.log_evaluation("r0", evaluation)
    client, experiment = connect()
    runs = client.search_runs([experiment], "tags.step = 'crf'")
    assert [run.data.metrics["oof_miou"] for run in runs] == [0.6]


def test_results_log_all_and_set_the_headline(checkout: Path, evaluation: Path, model_folder: Path) -> None:
    (checkout / "artifacts/select").mkdir()
    (checkout / "artifacts/select/selected.json").write_text('{"round": "r0", "step": "ensemble"}')
    (checkout / "page").mkdir()
    (checkout / "page/index.html").write_text("<p>")
    for _ in range(2):
        tracking.log_results(["r0", "r1"], ["unet"], [0, 1], report=checkout / "page")
    client, experiment = connect()
    runs = client.search_runs([experiment])
    kinds = sorted(run.data.tags["kind"] for run in runs)
    assert kinds == ["evaluation"] * 4 + ["pipeline", "training"]
    parent = next(run for run in runs if run.data.tags["kind"] == "pipeline")
    assert parent.data.metrics["oof_miou"] == 0.55
    assert parent.data.tags["selected.step"] == "ensemble"
    assert [item.path for item in client.list_artifacts(parent.info.run_id, "report")] == ["report/index.html"]


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_pipeline_run_that_ends_early_says_so(checkout: Path, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), tracking.pipeline_run() as parent:
        raise error
    assert connect()[0].get_run(parent).info.status == status


def test_stages_without_a_flow_share_a_parent(checkout: Path, evaluation: Path, model_folder: Path) -> None:
    tracking.replay_training(model_folder, "r0", "unet", 0)
    tracking.log_evaluation("r0", evaluation)
    client, experiment = connect()
    parents = client.search_runs([experiment], "tags.kind = 'pipeline'")
    assert [run.data.tags["driver"] for run in parents] == ["dvc"]
    assert parents[0].data.params["seed"] == "0"
    assert parents[0].info.status == "FINISHED"
