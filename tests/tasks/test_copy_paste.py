"""The copy_paste stage on a tiny fold: labels, lineage, determinism."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks import copy_paste, folds
from trashseg.data.folds import read_folds
from trashseg.data.masks import paint
from trashseg.data.synthesis_config import CopyPasteConfig
from trashseg.errors import InputError
from trashseg.io import read_image, read_json, read_mask
from trashseg.lineage import read_lineage
from trashseg.paths import FOLDS
from trashseg.paths import copy_paste as folder_of

TINY = CopyPasteConfig(
    count=6,
    patch_classes=("General trash",),
    quotas={"Paper": 2},
    jitter_range=(0.5, 1.5),
    large_px=400,
    small_px=100,
    min_visible_px=8,
    attempts=20,
)


def painted(coco: dict[str, Any], image_id: int, height: int, width: int) -> NDArray[np.uint8]:
    """The mask that a set's annotations give."""
    rows = [[row for row in coco[key] if row["image_id"] == image_id] for key in ("annotations", "ignored_annotations")]
    return paint(rows[0], rows[1], height, width)


@pytest.fixture
def made(labelled: Path) -> Path:
    folds.run(3, "greedy", "group", None, seed=0)
    copy_paste.run(1, TINY, seed=0, jobs=1)
    return folder_of(1)


def test_images_masks_and_annotations_agree(made: Path) -> None:
    coco = read_json(made / "annotations.json")
    assert len(coco["images"]) == 6
    for row in coco["images"]:
        mask_HW = read_mask(made / "masks" / f"{row['id']}.png")
        assert read_image(made / "images" / row["file_name"]).shape == (*mask_HW.shape, 3)
        np.testing.assert_array_equal(painted(coco, row["id"], *mask_HW.shape), mask_HW)
    assert {row["image_id"] for row in coco["annotations"]} == {row["id"] for row in coco["images"]}


def test_sources_are_training_images_of_the_fold(made: Path) -> None:
    lineage = read_lineage(made / "lineage.json")
    training = set(read_folds(FOLDS / "folds.json").training_ids(1))
    assert lineage.fold == 1
    assert {source for sources in lineage.sources.values() for source in sources} <= training
    assert all(len(sources) == 2 for sources in lineage.sources.values())


def test_jobs_do_not_change_the_bytes(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trashseg.data.synthetic_set.INLINE", 0)
    first = contents(made)
    copy_paste.run(1, TINY, seed=0, jobs=2)
    assert contents(made) == first
    copy_paste.run(1, TINY, seed=1, jobs=1)
    assert contents(made) != first


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_images_wanted_gives_an_empty_set(labelled: Path) -> None:
    folds.run(3, "greedy", "group", None, seed=0)
    copy_paste.run(0, TINY.model_copy(update={"count": 0, "quotas": {}}), seed=0)
    assert read_json(folder_of(0) / "annotations.json")["images"] == []
    assert read_lineage(folder_of(0) / "lineage.json").sources == {}


def test_unknown_class_names_the_nearest(labelled: Path) -> None:
    folds.run(3, "greedy", "group", None, seed=0)
    with pytest.raises(InputError, match=r"copy_paste.patch_classes: class 'Papier' .*did you mean 'Paper'"):
        copy_paste.run(0, TINY.model_copy(update={"patch_classes": ("Papier",)}), seed=0)


def test_excluded_everywhere_makes_nothing(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folds.run(3, "greedy", "group", None, seed=0)
    copy_paste.run(0, TINY.model_copy(update={"excluded_classes": ("Paper",)}), seed=0)
    said = "0 of 6 images made in artifacts/copy_paste/0: 0 training images have an object of "
    assert said in capsys.readouterr().err


def test_a_quota_of_a_class_that_is_nowhere_is_told(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folds.run(3, "greedy", "group", None, seed=0)
    copy_paste.run(0, TINY.model_copy(update={"quotas": {"Paper": 1, "Battery": 2}}), seed=0)
    assert "copy_paste.quotas asks for Battery, of which no image" in capsys.readouterr().err
