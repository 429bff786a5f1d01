"""Gains are told by step and by round; the CRF's by class and at edges."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trashseg import paths
from trashseg.errors import InputError
from trashseg.evaluation.confusion import confusion_matrix
from trashseg.report.gains import crf_rows, round_gains, size_rows, step_gains
from trashseg.report.scores import parse_score, read_steps


def pair(before: str, after: str, gain: float) -> dict[str, object]:
    return {"from": before, "to": after, "gain": gain, "interval": [gain - 0.02, gain + 0.02], "p_value": 0.03}


def test_a_row_has_both_parts_and_says_what_is_sure(finished: Path, change: Callable) -> None:
    oof = [pair("unet without TTA", "unet folds", 0.01), pair("ensemble", "crf", 0.03)]
    test = [pair("ensemble", "crf", -0.05), pair("member unet/0", "member unet/1", 0.5)]
    for part, pairs in (("oof", oof), ("test", test)):
        path = paths.evaluate("r0") / part / "metrics.json"
        change(path, lambda content, pairs=pairs: content.update(comparisons=pairs))
    looks, crf = step_gains("r0")
    assert (looks["before"], looks["after"]) == ("unet, all folds, one look", "unet, all folds")
    assert looks["oof"]["verdict"] == "unsure" and looks["test"] is None
    assert crf["oof"]["verdict"] == "better" and crf["test"]["verdict"] == "worse"


def test_rounds_are_compared_on_the_same_photos(finished: Path) -> None:
    truth = np.zeros((4, 20), np.uint8)
    truth[:, 10:] = 1
    for round_id, wrong in (("r0", 6), ("r1", 1)):
        folder = paths.evaluate(round_id) / "oof"
        prediction = truth.copy()
        prediction[:, :wrong] = 1
        counts = np.stack([confusion_matrix(truth[i], prediction[i], 2) for i in range(4)])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text('{"refined": true}')
        np.savez(folder / "per_image.npz", ids=np.arange(4), groups=np.array(list("abcd")), miou=counts)
    (row,) = round_gains(["r0", "r1"])
    assert (row["before"], row["after"], row["test"]) == ("round r0", "round r1", None)
    assert row["oof"]["gain"] > 0.2 and row["oof"]["verdict"] == "better"
    assert round_gains(["r0"]) == []


def test_the_crf_is_told_by_class_and_at_edges(finished: Path, change: Callable) -> None:
    def edit(content: dict) -> None:
        for step, score in zip(content["steps"][-2:], (0.4, 0.5), strict=True):
            step.update(boundary_iou=score, per_class={"Metal": score, "Battery": None})
            step["per_class_boundary"] = {"Metal": score / 2, "Battery": None}

    change(paths.evaluate("r0") / "oof" / "metrics.json", edit)
    total, metal = crf_rows(read_steps(["r0"]), "r0", ["Metal", "Battery"])
    assert total["boundary"] == pytest.approx((0.4, 0.5, 0.1))
    assert metal["name"] == "Metal"
    assert metal["iou"] == pytest.approx((0.4, 0.5, 0.1)) and metal["boundary"] == pytest.approx((0.2, 0.25, 0.05))


def test_sizes_without_an_object_are_left_out() -> None:
    sizes = {"small": {"objects": 0}, "large": {"objects": 3, "found": 0.5, "covered": 0.4}}
    assert [row["size"] for row in size_rows(parse_score({"miou": 0.5, "by_size": sizes}))] == ["large"]


def test_broken_metrics_are_named(finished: Path, change: Callable) -> None:
    change(paths.evaluate("r0") / "oof" / "metrics.json", lambda content: content.update(comparisons=[{"from": "a"}]))
    with pytest.raises(InputError, match=r"oof/metrics\.json: expected the metrics"):
        step_gains("r0")
