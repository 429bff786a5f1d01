"""The round is chosen by out-of-fold scores alone, and of equals the earlier one stays."""

from pathlib import Path

import numpy as np
import pytest

from tasks import select
from trashseg import paths
from trashseg.errors import InputError
from trashseg.evaluation.config import SelectConfig
from trashseg.io import read_json, write_json

ROUNDS = [{"id": "r0", "teacher": "none"}, {"id": "r1", "teacher": "r0"}]


def write_round(round_id: str, right: float, refined: bool = False, images: int = 20) -> None:
    """The out-of-fold part of an `evaluate` artefact: two classes, `right` of each image's pixels right."""
    folder = paths.evaluate(round_id) / "oof"
    write_json(folder / "metrics.json", {"round": round_id, "refined": refined})
    hits = np.round(100 * right + np.arange(images) % 3).astype(np.int64)
    confusions = np.zeros((images, 2, 2), np.int64)
    confusions[:, 0, 0] = confusions[:, 1, 1] = hits
    confusions[:, 0, 1] = confusions[:, 1, 0] = 110 - hits
    ids, groups = np.arange(images), np.arange(images).astype(str)
    (folder / "steps.csv").write_text(f"step,images,miou,low,high,miou_256\ncrf,20,{right},0,1,{right}\n")
    rows = [f"{step},Paper,{right}\n" for step in ("ensemble", "crf")]
    (folder / "per_class.csv").write_text("step,class,iou\n" + "".join(rows))
    (folder / "calibration.csv").write_text(f"confidence,accuracy,share\n0.5,{right},1\n")
    np.savez(folder / "per_image.npz", ids=ids, groups=groups, miou=confusions, miou_256=confusions)


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_better_round_is_chosen_with_the_reason(tmp_path: Path) -> None:
    write_round("r0", 0.7)
    write_round("r1", 0.8, refined=True)
    select.run(ROUNDS, SelectConfig())
    told = read_json(paths.SELECT / "selected.json")
    assert (told["round"], told["step"]) == ("r1", "crf")
    assert told["scores"]["r1"] > told["scores"]["r0"]
    assert "round r1 replaces r0" in told["reason"]
    assert "more than chance" in told["reason"]
    steps = (paths.SELECT / "steps.csv").read_text()
    assert steps == "step,miou,low,high,miou_256\nr0 crf,0.7,0,1,0.7\nr1 crf,0.8,0,1,0.8\n"
    assert (paths.SELECT / "per_class.csv").read_text() == "class,iou\nPaper,0.8\n"


@pytest.mark.parametrize(("later", "min_gain"), [(0.7, 0.0), (0.6, 0.0), (0.72, 0.5)])
def test_the_earlier_round_stays_where_the_later_gains_too_little(later: float, min_gain: float) -> None:
    write_round("r0", 0.7)
    write_round("r1", later)
    select.run(ROUNDS, SelectConfig(min_gain=min_gain))
    told = read_json(paths.SELECT / "selected.json")
    assert (told["round"], told["step"]) == ("r0", "ensemble")
    assert "round r1 does not replace r0" in told["reason"]


def test_rounds_of_other_images_are_refused() -> None:
    write_round("r0", 0.7)
    write_round("r1", 0.8, images=19)
    with pytest.raises(InputError, match="rounds r0 and r1 were scored on different images"):
        select.run(ROUNDS, SelectConfig())


def test_a_broken_artefact_is_named() -> None:
    write_round("r0", 0.7)
    (paths.evaluate("r0") / "oof" / "per_image.npz").write_bytes(b"PK not a zip")
    with pytest.raises(InputError, match=r"per_image\.npz: expected the per-image counts"):
        select.run(ROUNDS[:1], SelectConfig())
