"""Plots are drawn from the tables of an evaluation; those without a table are left out."""

from pathlib import Path
from xml.etree import ElementTree

from trashseg.tracking.plots import evaluation_plots


def test_each_table_has_its_plot(tmp_path: Path) -> None:
    (tmp_path / "steps.csv").write_text("step,images,miou,low,high,miou_256\nensemble,9,0.5,0.4,0.6,0.5\n")
    (tmp_path / "per_class.csv").write_text("step,class,iou\nensemble,Paper,0.1\ncrf,Paper & card,0.75\n")
    (tmp_path / "calibration.csv").write_text("confidence,accuracy,share\n0.4,0.3,0.25\n")
    (tmp_path / "confusion.csv").write_text("truth,Paper,Metal\nPaper,9,1\nMetal,0,4\n")
    plots = evaluation_plots(tmp_path)
    assert list(plots) == ["steps.svg", "classes.svg", "calibration.svg", "confusion.svg"]
    for svg in plots.values():
        ElementTree.fromstring(svg)
    assert "Paper &amp; card" in plots["classes.svg"] and "0.100" not in plots["classes.svg"]
    assert "M402.0 55H498.0" in plots["steps.svg"]
    assert 'r="9.0"' in plots["calibration.svg"]


def test_no_table_no_plot(tmp_path: Path) -> None:
    assert evaluation_plots(tmp_path) == {}
