"""Stage report on a tiny finished pipeline, tracked in a real MLflow store."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tasks import report
from trashseg import paths
from trashseg.report.config import ReportConfig

_specification = importlib.util.spec_from_file_location(
    "report_artefacts", Path(__file__).parents[1] / "report/conftest.py"
)
artefacts = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(artefacts)


def test_report_writes_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    artefacts.build(tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "argv", ["report"])
    report.main()
    assert [file.name for file in paths.REPORT.iterdir()] == ["index.html"]
    assert (paths.REPORT / "index.html").read_text().startswith("<!doctype html>")
    assert "report: artifacts/report/index.html" in capsys.readouterr().out


def test_report_of_nothing_names_the_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"artifacts/dataset/train_all.json: no such file"):
        report.run(["r0"], ["unet"], ReportConfig())
    assert not paths.REPORT.exists()
