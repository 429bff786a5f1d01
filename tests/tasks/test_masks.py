"""The masks stage: every labelled image gets its PNG, whatever its size, and the report adds up."""

import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from tasks import dataset, masks
from trashseg.classes import VOID, named, write_classes
from trashseg.data.rle import encode, to_json
from trashseg.io import read_json, read_mask, write_image, write_json
from trashseg.paths import DATASET, MASKS


def square(number, image, category, left, top, side, **extra):
    right, bottom = left + side, top + side
    polygon = [left, top, right, top, right, bottom, left, bottom]
    row = {"id": number, "image_id": image, "category_id": category, "segmentation": [polygon], "area": side * side}
    return {**row, "iscrowd": 0, **extra}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["masks"])
    rows = {
        "images": [
            {"id": 4, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 7, "file_name": "b.png", "width": 9, "height": 13},
            {"id": 8, "file_name": "c.png", "width": 5, "height": 5},
        ],
        "annotations": [
            square(1, 4, 2, 2, 2, 4),
            square(2, 4, 1, 0, 0, 9),
            square(3, 7, 1, 0, 0, 4),
            square(4, 7, 1, 5, 0, 4),
        ],
        "ignored_annotations": [square(5, 4, 40, 12, 2, 3)],
        "categories": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}],
    }
    write_json(DATASET / "train_all.json", rows)
    write_classes(DATASET / "classes.json", named(("Background", "A", "B")))
    return tmp_path


def stage(folder, **options):
    (folder / "params.yaml").write_text(yaml.safe_dump({"masks": {"jobs": 1, **options}}))
    masks.main()


def test_masks_of_mixed_sizes(here):
    stage(here)
    assert sorted(path.name for path in MASKS.iterdir()) == ["4.png", "7.png", "8.png", "report.json"]
    first = read_mask(MASKS / "4.png")
    assert first.shape == (10, 20)
    assert np.bincount(first.ravel(), minlength=256)[[0, 1, 2, VOID]].tolist() == [200 - 81 - 9, 81 - 16, 16, 9]
    assert read_mask(MASKS / "7.png").shape == (13, 9)
    assert not read_mask(MASKS / "8.png").any()


def test_a_person_sees_colours(here):
    stage(here)
    with Image.open(MASKS / "4.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((0, 0)) == named(("Background", "A", "B")).colours[1]


def test_the_report_counts_pixels_and_repairs(here):
    stage(here, seam_repair=True)
    report = read_json(MASKS / "report.json")
    assert report["classes"] == ["Background", "A", "B"]
    assert report["ignored_px"] == 9
    assert {row["image_id"]: row["seam_repaired_px"] for row in report["images"]} == {4: 0, 7: 3, 8: 0}, (
        "the open end is no crack"
    )
    assert report["seam_repaired_px"] == 3
    assert sum(report["pixels"]) == 200 + 117 + 25 - 9


def test_a_street_dataset_through_both_stages(tmp_path, monkeypatch):
    """Eleven classes with gaps between their ids, RLE labels, 480 x 360: classes are data."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    street = tmp_path / "street"
    truth_HW = np.repeat(np.arange(12, dtype=np.uint8), 40)[None].repeat(360, 0)
    write_image(street / "0.png", rng.integers(0, 255, (360, 480, 3), np.uint8))
    ids = [3, 7, 8, 20, 21, 22, 40, 50, 60, 70, 91]
    rows = {
        "images": [{"id": 12, "file_name": "0.png", "width": 480, "height": 360}],
        "annotations": [
            {"id": n, "image_id": 12, "category_id": ids[n - 1], "segmentation": to_json(encode(truth_HW == n))}
            for n in range(1, 12)
        ],
        "categories": [{"id": number, "name": f"street {number}"} for number in ids],
    }
    write_json(street / "all.json", rows)
    params = {
        "seed": 0,
        "data": {"source": "coco", "root": "street", "train_json": "all.json", "test_json": None, "jobs": 1},
        "masks": {"jobs": 1},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    for task in (dataset, masks):
        monkeypatch.setattr(sys, "argv", [task.__name__])
        task.main()
    assert (read_mask(MASKS / "12.png") == truth_HW).all()
    assert read_json(MASKS / "report.json")["classes"] == ["Background", *(f"street {number}" for number in ids)]
