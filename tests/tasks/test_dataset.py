"""The dataset stage: the sample, one's own COCO folder, and faults that leave earlier artefacts alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tasks import dataset
from trashseg.classes import CONTEST_NAMES, read_classes
from trashseg.data.coco import load_coco
from trashseg.errors import InputError
from trashseg.io import read_image, write_image
from trashseg.paths import DATASET, TEST_LABELS

SAMPLE = {"train_images": 14, "test_images": 5, "side_px": 32}


def stage(monkeypatch, folder: Path, params: dict) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["dataset"])
    (folder / "params.yaml").write_text(yaml.safe_dump({"seed": 1, **params}))
    dataset.main()


def test_the_sample(monkeypatch, tmp_path):
    stage(monkeypatch, tmp_path, {"data": {"source": "sample", "jobs": 1}, "sample": SAMPLE})
    train, test = load_coco(DATASET / "train_all.json"), load_coco(DATASET / "test.json")
    labels = load_coco(TEST_LABELS)
    assert (len(train.images), len(test.images)) == (14, 5)
    assert not test.annotations
    assert [row["id"] for row in labels.images] == [row["id"] for row in test.images]
    assert read_classes(DATASET / "classes.json").names == CONTEST_NAMES
    assert all("group" in image for image in [*train.images, *test.images])
    scenes = {image["scene"]: image["group"] for image in train.images}
    assert all(scenes[image["scene"]] == image["group"] for image in train.images)
    for image in [*train.images, *test.images]:
        assert read_image(DATASET / "images" / image["file_name"]).shape == (32, 32, 3)
    assert not [path for path in DATASET.parent.iterdir() if path.name.startswith(".")], "no temporary folder stays"


@pytest.fixture
def own(tmp_path) -> Path:
    """A street data set: 11 classes with gaps between their ids, RLE labels, 48 x 36 px."""
    folder = tmp_path / "street"
    rng = np.random.default_rng(0)
    for number in range(3):
        write_image(folder / f"{number}.png", rng.integers(0, 255, (36, 48, 3), np.uint8))
    write_json(folder, [{"id": number, "file_name": f"{number}.png", "width": 48, "height": 36} for number in range(3)])
    return folder


def write_json(folder, images):
    annotation = {
        "id": 1,
        "image_id": 1,
        "category_id": 90,
        "segmentation": {"size": [36, 48], "counts": [36, 72, 1620]},
    }
    categories = [{"id": 10 * number, "name": f"street {number}"} for number in range(1, 12)]
    rows = {"images": images, "annotations": [annotation], "categories": categories}
    (folder / "all.json").write_text(json.dumps(rows))


OWN = {"source": "coco", "root": "street", "train_json": "all.json", "test_json": None, "jobs": 1}


def test_own_files_without_a_test_set(monkeypatch, tmp_path, own):
    stage(monkeypatch, tmp_path, {"data": OWN})
    train = load_coco(DATASET / "train_all.json")
    assert len(read_classes(DATASET / "classes.json")) == 12
    assert [(row["category_id"], row["area"]) for row in train.annotations] == [(9, 72)]
    assert load_coco(DATASET / "test.json").images == []
    assert json.loads(TEST_LABELS.read_text()) is None


@pytest.mark.parametrize("listed", [True, False])
def test_a_pool_of_photos_without_labels_joins_without_its_twins(monkeypatch, tmp_path, own, listed):
    rng = np.random.default_rng(5)
    for name in ("a/new.png", "a/other.png"):
        write_image(own / "more" / name, cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (48, 36)))
    shutil.copy(own / "1.png", own / "more" / "twin.png")
    shutil.copy(own / "more" / "a" / "new.png", own / "more" / "twin of new.png")
    source = "more"
    if listed:
        files = sorted(path.relative_to(own / "more") for path in (own / "more").rglob("*.png"))
        rows = [{"id": n, "file_name": str(file), "width": 48, "height": 36} for n, file in enumerate(files)]
        source = "more/pool.json"
        (own / source).write_text(json.dumps({"images": rows, "categories": [{"id": 1, "name": "x"}]}))
    stage(monkeypatch, tmp_path, {"data": {**OWN, "unlabelled": source}})
    labelled, pool = (json.loads((DATASET / f"{name}.json").read_text()) for name in ("train_all", "unlabelled"))
    assert [row["file_name"] for row in pool["images"]] == ["unlabelled/a/new.png", "unlabelled/a/other.png"]
    assert min(row["id"] for row in pool["images"]) > max(row["id"] for row in labelled["images"])
    assert all((DATASET / "images" / row["file_name"]).is_file() for row in pool["images"])
    report = json.loads((DATASET / "report.json").read_text())
    assert report["unlabelled_images"] == 2
    assert report["unlabelled_left_out"] == ["twin of new.png", "twin.png"]


def test_a_pool_that_is_not_there_is_named(monkeypatch, tmp_path, own):
    with pytest.raises(InputError, match=r"street/nowhere: no such COCO file or folder of photos"):
        stage(monkeypatch, tmp_path, {"data": {**OWN, "unlabelled": "nowhere"}})
    (own / "broken").mkdir()
    (own / "broken" / "x.jpg").write_text("no photo")
    with pytest.raises(InputError, match=r"broken/x\.jpg: cannot be decoded"):
        stage(monkeypatch, tmp_path, {"data": {**OWN, "unlabelled": "broken"}})


def test_a_fault_is_one_sentence_exit_2_and_changes_nothing(tmp_path, own, repository):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"seed": 1, "data": OWN}))
    command = [sys.executable, "-m", "tasks.dataset"]
    environment = {"PYTHONPATH": str(repository), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    write_image(own / "2.png", np.zeros((36, 40, 3), np.uint8))
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 2
    assert run.stderr.strip() == ("error: street/all.json: image 2: street/2.png is 40 x 36 px, expected 48 x 36")
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def contest(folder: Path, listed: bool) -> None:
    """A contest layout whose annotation 1 is of category 0, UNKNOWN, listed among the categories or not."""
    names = ["UNKNOWN", *CONTEST_NAMES[1:]]
    categories = [{"id": number, "name": name} for number, name in enumerate(names) if number or listed]
    rng = np.random.default_rng(0)
    images = [{"id": n, "file_name": f"batch_01_vt/{n:04}.jpg", "width": 32, "height": 32} for n in range(2)]
    for image in images:
        write_image(folder / image["file_name"], rng.integers(0, 255, (32, 32, 3), np.uint8))
    square = [[2, 2, 12, 2, 12, 12, 2, 12]]
    labels = [{"id": n, "image_id": 0, "category_id": n - 1, "segmentation": square} for n in (1, 5)]
    rows = {"images": images[:1], "annotations": labels, "categories": categories}
    (folder / "train_all.json").write_text(json.dumps(rows))
    (folder / "test.json").write_text(json.dumps({**rows, "images": images[1:], "annotations": []}))


@pytest.mark.parametrize("listed", [True, False])
def test_contest_files_keep_unknown_out_of_the_background(monkeypatch, tmp_path, listed):
    contest(tmp_path / "naver", listed)
    stage(monkeypatch, tmp_path, {"data": {"source": "contest", "root": "naver", "jobs": 1}})
    assert read_classes(DATASET / "classes.json").names == CONTEST_NAMES
    value = json.loads((DATASET / "train_all.json").read_text())
    assert [row["category_id"] for row in value["annotations"]] == [4]
    assert [row["id"] for row in value["ignored_annotations"]] == [1]


def test_unknown_can_be_merged_into_a_class(monkeypatch, tmp_path):
    contest(tmp_path / "naver", listed=True)
    data = {"source": "contest", "root": "naver", "merge_categories": {"UNKNOWN": "General trash"}, "jobs": 1}
    stage(monkeypatch, tmp_path, {"data": data})
    assert read_classes(DATASET / "classes.json").names == CONTEST_NAMES
    assert [row["category_id"] for row in load_coco(DATASET / "train_all.json").annotations] == [1, 4]


def test_a_merge_into_nothing_is_named(monkeypatch, tmp_path):
    contest(tmp_path / "naver", listed=True)
    data = {"source": "contest", "root": "naver", "merge_categories": {"UNKNOWN": "General rubbish"}, "jobs": 1}
    with pytest.raises(InputError, match=r"'UNKNOWN' cannot become 'General rubbish'.*did you mean 'General trash'"):
        stage(monkeypatch, tmp_path, {"data": data})
