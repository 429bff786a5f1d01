"""The oversample stage on a tiny fold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks import folds, oversample
from trashseg.data.folds import read_folds
from trashseg.data.masks import paint
from trashseg.data.synthesis_config import OversampleConfig
from trashseg.io import read_json, read_mask
from trashseg.lineage import read_lineage
from trashseg.paths import FOLDS
from trashseg.paths import oversample as folder_of

TINY = OversampleConfig(
    count=5,
    rare_classes=("Paper",),
    background_classes=("General trash", "Paper"),
    max_annotations=2,
    min_area_px=100,
    max_cover=0.9,
    min_visible_px=8,
    elastic_px=2,
)


def painted(coco: dict[str, Any], image_id: int, height: int, width: int) -> NDArray[np.uint8]:
    """The mask that a set's annotations give."""
    rows = [[row for row in coco[key] if row["image_id"] == image_id] for key in ("annotations", "ignored_annotations")]
    return paint(rows[0], rows[1], height, width)


@pytest.fixture
def made(labelled: Path) -> Path:
    folds.run(3, "greedy", "group", None, seed=0)
    oversample.run(2, TINY, seed=0, jobs=1)
    return folder_of(2)


def test_set_holds_exact_labels_of_training_images(made: Path) -> None:
    coco = read_json(made / "annotations.json")
    assert 1 <= len(coco["images"]) <= 5
    for row in coco["images"]:
        mask_HW = read_mask(made / "masks" / f"{row['id']}.png")
        np.testing.assert_array_equal(painted(coco, row["id"], *mask_HW.shape), mask_HW)
        assert 2 in mask_HW
    training = set(read_folds(FOLDS / "folds.json").training_ids(2))
    sources = read_lineage(made / "lineage.json").sources
    assert {source for pair in sources.values() for source in pair} <= training


def test_the_same_seed_gives_the_same_bytes(made: Path) -> None:
    first = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    oversample.run(2, TINY, seed=0, jobs=1)
    assert first == {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}


def test_objects_too_small_give_an_empty_set(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folds.run(3, "greedy", "group", None, seed=0)
    oversample.run(0, TINY.model_copy(update={"min_area_px": 10_000}), seed=0)
    assert read_json(folder_of(0) / "annotations.json")["images"] == []
    said = "0 of 5 images made in artifacts/oversample/0: no training image has an object of Paper of at least 10000 px"
    assert said in capsys.readouterr().err
