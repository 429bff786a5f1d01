"""Every step is scored, out of fold and on the test set, and test labels touch nothing but `test/`."""

from pathlib import Path

import numpy as np
import pytest

from tasks import evaluate, refine
from trashseg import paths
from trashseg.classes import CONTEST
from trashseg.errors import InputError
from trashseg.evaluation.config import EvaluateConfig
from trashseg.inference.crf import argmax
from trashseg.inference.crf_config import RefineConfig
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_json, read_mask, write_json, write_mask

CONFIG = EvaluateConfig(bootstrap_samples=100, workers=2)
STEPS = ["member unet/0", "member unet/1", "unet folds", "ensemble", "crf"]
COMPARED = {
    "oof": [("unet folds", "ensemble"), ("ensemble", "crf"), ("unet folds", "crf")],
    "test": [
        ("member unet/0", "member unet/1"),
        ("member unet/0", "unet folds"),
        ("member unet/1", "unet folds"),
        ("unet folds", "ensemble"),
        ("ensemble", "crf"),
        ("member unet/0", "crf"),
    ],
}


@pytest.fixture
def refined(tiny_round: Path) -> Path:
    """The tiny round with its CRF done."""
    refine.run("r0", [0, 1], ["unet"], RefineConfig(bilateral_sxy=[15], bilateral_compat=[10], bilateral_srgb=[10]))
    return tiny_round


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_all_steps_are_scored_in_both_parts(refined: Path) -> None:
    evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
    for part, images in (("oof", 8), ("test", 2)):
        told = read_json(paths.evaluate("r0") / part / "metrics.json")
        assert told["known"]
        assert [step["step"] for step in told["steps"]] == STEPS
        assert [step["images"] for step in told["steps"]] == [4 if part == "oof" else 2] * 2 + [images] * 3
        assert set(told["absent"]) == set(CONTEST.names[3:])
        crf = told["steps"][-1]
        assert crf["per_class"]["Battery"] is None
        assert crf["miou"] > told["steps"][-2]["miou"] > 0.7
        assert crf["interval"][0] <= crf["miou"] <= crf["interval"][1]
        assert crf["boundary_iou"] > told["steps"][-2]["boundary_iou"]
        assert [(pair["from"], pair["to"]) for pair in told["comparisons"]] == COMPARED[part]
        rows = (paths.evaluate("r0") / part / "confusion.csv").read_text().splitlines()
        assert len(rows) == 12
        assert sum(int(cell) for row in rows[1:] for cell in row.split(",")[1:]) == images * 48 * 48


def test_the_gain_of_several_looks_is_scored_where_a_single_one_was_kept(refined: Path) -> None:
    for path in paths.predict("r0", "unet").rglob("*.probs"):
        store, image_id = ProbabilityStore(path.parent, CONTEST.names), int(path.stem)
        levels, header = store.read_levels(image_id)
        single = argmax(np.roll(store.read(image_id), 3, axis=1))
        store.write_levels(image_id, levels, header.kept, 11, single)
    evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
    members = [f"member unet/{fold}{looks}" for fold in (0, 1) for looks in (" without TTA", "")]
    oof, test = (read_json(paths.evaluate("r0") / part / "metrics.json") for part in ("oof", "test"))
    assert [step["step"] for step in oof["steps"]] == [*members, "unet without TTA", *STEPS[2:]]
    assert [step["step"] for step in test["steps"]] == [*members, *STEPS[2:]]
    assert oof["miou"]["unet without TTA"] < oof["miou"]["unet folds"]
    gains = {(pair["from"], pair["to"]): pair for pair in oof["comparisons"] + test["comparisons"]}
    assert gains["unet without TTA", "unet folds"]["interval"][0] > 0
    assert gains["member unet/0 without TTA", "crf"]["gain"] > gains["ensemble", "crf"]["gain"]


def test_out_of_fold_scores_do_not_know_test_labels(refined: Path) -> None:
    evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
    known = files(paths.evaluate("r0") / "oof")
    write_json(paths.TEST_LABELS, None)
    evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
    assert files(paths.evaluate("r0") / "oof") == known
    assert [path.name for path in (paths.evaluate("r0") / "test").iterdir()] == ["metrics.json"]
    assert read_json(paths.evaluate("r0") / "test" / "metrics.json") == {"round": "r0", "known": False}


def test_the_number_of_workers_changes_nothing(refined: Path) -> None:
    evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
    once = files(paths.evaluate("r0") / "test")
    evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG.model_copy(update={"workers": 1}))
    assert files(paths.evaluate("r0") / "test") == once


def test_a_mask_of_another_size_is_named(refined: Path) -> None:
    path = paths.refine("r0") / "oof" / "8.png"
    write_mask(path, read_mask(path)[:40], CONTEST.palette())
    with pytest.raises(InputError, match=r"image 8: crf and label are 40x48 and 48x48 pixels"):
        evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
    assert not paths.evaluate("r0").exists()


def test_probabilities_of_other_classes_are_refused(refined: Path) -> None:
    write_json(
        paths.DATASET / "classes.json",
        [{"name": name, "colour": [0, 0, 0]} for name in ("Background", "Can", "Bottle")],
    )
    with pytest.raises(InputError, match="made for 11 classes, expected 3"):
        evaluate.run("r0", [0, 1], ["unet"], 0, CONFIG)
