"""The stage sharpens edges where that helps out of fold, and leaves the ensemble alone where it does not."""

from pathlib import Path

import numpy as np
import pytest

from tasks import refine
from trashseg import paths
from trashseg.data.folds import read_folds
from trashseg.errors import InputError
from trashseg.inference.crf import argmax
from trashseg.inference.crf_config import RefineConfig
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_json, read_mask, write_json

HELPS = RefineConfig(bilateral_sxy=[15], bilateral_srgb=[10], bilateral_compat=[10], iterations=[5], workers=2)
HARMS = RefineConfig(
    gaussian_sxy=[15],
    gaussian_compat=[30],
    bilateral_sxy=[15],
    bilateral_srgb=[200],
    bilateral_compat=[30],
    keep_area_px=0,
)


def before(part: str, image_id: int) -> np.ndarray:
    return argmax(ProbabilityStore(paths.ensemble("r0") / part).read(image_id))


def test_edges_are_sharpened_and_the_reason_is_told(tiny_round: Path) -> None:
    refine.run("r0", [0, 1], ["unet"], HELPS)
    told = read_json(paths.refine("r0") / "refine.json")
    assert told["on"]
    assert told["gain"] > 0.05
    assert told["interval"][0] > 0
    assert told["parameters"]["bilateral_srgb"] == 10
    assert set(told["parameters_by_fold"]) == {"0", "1"}
    for image_id in read_folds(paths.FOLDS / "folds.json").assignment:
        truth_HW = read_mask(paths.MASKS / f"{image_id}.png")
        after_HW = read_mask(paths.refine("r0") / "oof" / f"{image_id}.png")
        assert np.count_nonzero(after_HW != truth_HW) < np.count_nonzero(before("oof", image_id) != truth_HW)
    assert sorted(p.name for p in (paths.refine("r0") / "test").iterdir()) == ["4.png", "7.png"]


def test_where_it_harms_masks_are_the_ensembles_own(tiny_round: Path) -> None:
    refine.run("r0", [0, 1], ["unet"], HARMS)
    told = read_json(paths.refine("r0") / "refine.json")
    assert not told["on"]
    assert told["reason"].startswith("off: no parameters beat the ensemble alone")
    for part in ("oof", "test"):
        for path in (paths.refine("r0") / part).iterdir():
            np.testing.assert_array_equal(read_mask(path), before(part, int(path.stem)))


def test_applied_always_it_shows_what_it_does_even_where_it_harms(tiny_round: Path) -> None:
    refine.run("r0", [0, 1], ["unet"], HARMS.model_copy(update={"apply": "always", "search_images": 4}))
    told = read_json(paths.refine("r0") / "refine.json")
    assert told["on"]
    assert told["reason"].startswith("on: applied whatever it gains (-0.")
    assert told["gain"] < 0
    assert told["parameters"]["bilateral_srgb"] == 200
    path = paths.refine("r0") / "test" / "7.png"
    assert np.count_nonzero(read_mask(path) != before("test", 7)) > 20


def test_the_number_of_workers_and_test_labels_change_nothing(tiny_round: Path) -> None:
    paths.TEST_LABELS.unlink()
    written = []
    for workers in (1, 3):
        refine.run("r0", [0, 1], ["unet"], HELPS.model_copy(update={"workers": workers, "search_images": 4}))
        files = sorted(paths.refine("r0").rglob("*.*"))
        written.append([(path, path.read_bytes()) for path in files])
    assert written[0] == written[1]


def test_a_missing_prediction_is_named(tiny_round: Path) -> None:
    (paths.ensemble("r0") / "oof" / "13.probs").unlink()
    with pytest.raises(InputError, match=r"13\.probs: no probabilities of image 13"):
        refine.run("r0", [0, 1], ["unet"], HELPS)
    assert not paths.refine("r0").exists()


def test_folds_of_another_number_are_refused(tiny_round: Path) -> None:
    value = read_json(paths.FOLDS / "folds.json")
    write_json(paths.FOLDS / "folds.json", {**value, "k": 3, "assignment": {**value["assignment"], "3": 2}})
    with pytest.raises(InputError, match=r"folds are \[0, 1\], but folds.json also has fold 2"):
        refine.run("r0", [0, 1], ["unet"], HELPS)
