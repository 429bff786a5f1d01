"""The instance bank: what it holds, and that pasting from it changes what it should and nothing else."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from trashseg.classes import VOID
from trashseg.data.instance_bank import InstanceBank, PasteObjects, paste_from_fold
from trashseg.data.paste import Limits
from trashseg.data.scenes import load_scene, scene_files
from trashseg.io import read_json, write_image, write_json, write_mask

SIDE = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images, each with a square of class 1 (red), and class 2 (blue) in two of them."""
    folder = tmp_path_factory.mktemp("bank")
    rows, annotations = [], []
    for image in range(6):
        image_HWC = np.full((SIDE, SIDE, 3), 90, np.uint8)
        image_HWC[4:16, 4:16] = (200, 0, 0)
        annotations.append(square(image, 1, 4, 12))
        if image < 2:
            image_HWC[20:30, 20:30] = (0, 0, 200)
            annotations.append(square(image, 2, 20, 10))
        write_image(folder / f"{image}.png", image_HWC)
        rows.append({"id": image, "file_name": f"{image}.png", "width": SIDE, "height": SIDE})
    numbered = [{"id": at, **row} for at, row in enumerate(annotations)]
    write_json(folder / "train.json", {"images": rows, "annotations": numbered, "categories": []})
    return folder


def square(image: int, category: int, start: int, side: int) -> dict[str, object]:
    end = start + side
    polygon = [start, start, end, start, end, end, start, end]
    return {"image_id": image, "category_id": category, "segmentation": [polygon], "area": side * side, "iscrowd": 0}


@pytest.fixture(scope="module")
def bank(folder: Path) -> InstanceBank:
    return InstanceBank.build(scene_files(read_json(folder / "train.json"), folder, None), per_class=4, min_area_px=50)


def test_bank_holds_at_most_so_many_of_each_class(bank: InstanceBank) -> None:
    assert {index: len(patches) for index, patches in bank.patches.items()} == {1: 4, 2: 2}
    assert 0 < bank.size_bytes < 100_000


def test_bank_keeps_within_its_bytes_and_takes_from_every_class(folder: Path, bank: InstanceBank) -> None:
    files = scene_files(read_json(folder / "train.json"), folder, None)
    one = max(patch.size_bytes for patches in bank.patches.values() for patch in patches)
    for budget in (0, 2 * one, 5 * one, 100 * one):
        small = InstanceBank.build(files, min_area_px=50, budget_bytes=budget)
        assert small.size_bytes <= budget
        assert set(small.patches) == (set() if budget == 0 else {1, 2})


def test_rare_classes_are_drawn_as_often(bank: InstanceBank) -> None:
    rng = np.random.default_rng(0)
    drawn = [int(bank.draw(rng).classes_I[1]) for _ in range(400)]
    assert 150 < drawn.count(2) < 250


def test_pixels_and_labels_change_together(bank: InstanceBank) -> None:
    paste = PasteObjects(bank, objects=(1, 1), limits=Limits(0.6, 1), soft_edge_px=0)
    image_HWC, mask_HW = np.full((SIDE, SIDE, 3), 90, np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    image_HWC.setflags(write=False)
    mask_HW.setflags(write=False)
    pasted_HWC, pasted_HW = paste(image_HWC, mask_HW, np.random.default_rng(1))
    assert set(np.unique(pasted_HW)) in ({0, 1}, {0, 2})
    np.testing.assert_array_equal(pasted_HWC[pasted_HW == 0], 90)
    assert (np.ptp(pasted_HWC[pasted_HW > 0].astype(int), axis=1) > 5).all()


def test_the_same_generator_gives_the_same_paste(bank: InstanceBank) -> None:
    image_HWC, mask_HW = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE), VOID, np.uint8)
    paste = PasteObjects(bank)
    first = paste(image_HWC, mask_HW, np.random.default_rng(5))
    again = pickle.loads(pickle.dumps(paste))(image_HWC, mask_HW, np.random.default_rng(5))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_no_class_is_covered_beyond_the_limit(bank: InstanceBank) -> None:
    paste = PasteObjects(bank, objects=(6, 6), limits=Limits(max_cover=0.25, min_visible_px=1))
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    mask_HW[10:30, 10:30] = 7
    image_HWC = np.zeros((SIDE, SIDE, 3), np.uint8)
    for seed in range(20):
        _, pasted_HW = paste(image_HWC, mask_HW, np.random.default_rng(seed))
        assert (pasted_HW == 7).sum() >= 0.75 * 400


def test_an_empty_bank_changes_nothing(folder: Path) -> None:
    image_HWC, mask_HW = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    pasted_HWC, pasted_HW = PasteObjects(InstanceBank({}))(image_HWC, mask_HW, np.random.default_rng(0))
    assert pasted_HWC is image_HWC and pasted_HW is mask_HW


def test_bank_of_a_fold_from_its_files(folder: Path, tmp_path: Path) -> None:
    for file in scene_files(read_json(folder / "train.json"), folder, None):
        write_mask(tmp_path / f"{file.image_id}.png", load_scene(file).mask_HW, np.zeros((256, 3), np.uint8))
    paste = paste_from_fold(folder / "train.json", folder, tmp_path, seed=0, per_class=1)
    assert {index: len(patches) for index, patches in paste.bank.patches.items()} == {1: 1, 2: 1}
