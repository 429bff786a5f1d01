"""folds.json: what is written is read, and what is not one is refused."""

from pathlib import Path

import pytest

from trashseg.data.folds import Folds, read_folds, subset, write_folds
from trashseg.errors import InputError
from trashseg.io import write_json


def test_written_folds_are_read(tmp_path: Path) -> None:
    folds = Folds(2, {5: 1, 3: 0, 9: 1})
    write_folds(tmp_path / "folds.json", folds)
    assert read_folds(tmp_path / "folds.json") == folds
    assert folds.validation_ids(1) == [5, 9]
    assert folds.training_ids(1) == [3]


@pytest.mark.parametrize("value", [[], {"k": 2}, {"k": "x", "assignment": {}}, {"k": 2, "assignment": {"a": 0}}])
def test_other_files_are_refused(tmp_path: Path, value: object) -> None:
    write_json(tmp_path / "folds.json", value)
    with pytest.raises(InputError, match=r"expected \{k: n, assignment"):
        read_folds(tmp_path / "folds.json")


def test_fold_beyond_k_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "folds.json", {"k": 2, "assignment": {"1": 2}})
    with pytest.raises(InputError, match=r"image 1 is in fold 2, expected one of 0..1"):
        read_folds(tmp_path / "folds.json")
    with pytest.raises(InputError, match=r"fold 2 is unknown"):
        Folds(2, {1: 0}).validation_ids(2)


def test_subset_keeps_other_keys_and_drops_other_images() -> None:
    coco = {
        "info": {"a": 1},
        "images": [{"id": 1}, {"id": 2}],
        "annotations": [{"id": 1, "image_id": 2}],
        "ignored_annotations": [{"id": 1, "image_id": 1}],
        "categories": [],
    }
    part = subset(coco, {2})
    assert part == {**coco, "images": [{"id": 2}], "ignored_annotations": []}
