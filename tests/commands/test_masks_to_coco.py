"""`trashseg masks` and `trashseg to-coco`: there and back on one's own files."""

import json
from pathlib import Path

import numpy as np
import pytest

from trashseg.cli import app
from trashseg.data.coco import read_coco
from trashseg.errors import InputError
from trashseg.io import read_json, read_mask


def run(*words: object) -> None:
    app([str(word) for word in words], result_action="return_value")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Two images, class ids with a gap, one category to ignore."""
    value = {
        "images": [
            {"id": 3, "file_name": "a/1.jpg", "width": 20, "height": 12},
            {"id": 5, "file_name": "a/2.jpg", "width": 9, "height": 9},
        ],
        "categories": [{"id": 0, "name": "UNKNOWN"}, {"id": 10, "name": "Car"}, {"id": 30, "name": "Road"}],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 30, "segmentation": [[0, 0, 20, 0, 20, 8, 0, 8]]},
            {"id": 2, "image_id": 3, "category_id": 10, "segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]},
            {"id": 3, "image_id": 5, "category_id": 0, "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]},
        ],
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(value))
    return path


def test_there_and_back(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("masks", labels, "--out", tmp_path / "masks", "--jobs", "1")
    mask_HW = read_mask(tmp_path / "masks" / "a" / "1.png")
    assert np.bincount(mask_HW.ravel()).tolist() == [240 - 160, 16, 160 - 16]
    assert (read_mask(tmp_path / "masks" / "a" / "2.png") == 255).sum() == 9
    assert "2 masks" in capsys.readouterr().out

    run("to-coco", tmp_path / "masks", "--out", tmp_path / "back.json", "--form", "polygon", "--jobs", "1")
    back = read_coco(tmp_path / "back.json")
    assert [row["name"] for row in back.categories] == ["Car", "Road"]
    run("masks", tmp_path / "back.json", "--out", tmp_path / "again", "--jobs", "1")
    assert (read_mask(tmp_path / "again" / "a" / "1.png") == mask_HW).all()


def test_added_to_another_file(labels: Path, tmp_path: Path) -> None:
    run("masks", labels, "--out", tmp_path / "masks", "--name-by", "id", "--jobs", "1")
    run("to-coco", tmp_path / "masks", "--add", labels, "--out", tmp_path / "both.json", "--jobs", "1")
    both = read_coco(tmp_path / "both.json")
    assert [row["id"] for row in both.images] == [3, 5, 6, 7]
    assert [row["category_id"] for row in both.annotations if row["image_id"] == 6] == [10, 30]
    assert read_json(labels)["annotations"] == both.annotations[:3]


def test_user_faults_are_sentences(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.png masks found"):
        run("to-coco", tmp_path, "--out", tmp_path / "x.json")
    with pytest.raises(InputError, match="holds other files"):
        run("masks", labels, "--out", tmp_path)
    value = json.loads(labels.read_text())
    value["images"][1]["file_name"] = "a/1.png"
    labels.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"images 3 and 5 would both be a/1\.png"):
        run("masks", labels, "--out", tmp_path / "masks")
    run("masks", labels, "--out", tmp_path / "masks", "--name-by", "id", "--jobs", "1")
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match=r"no photo 3\.\*"):
        run("to-coco", tmp_path / "masks", "--out", tmp_path / "x.json", "--images", tmp_path / "photos")
