"""Artefacts of a tiny finished round, for the tasks that come after the ensemble."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import CONTEST, write_classes
from trashseg.data.folds import Folds, write_folds
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import write_image, write_json, write_mask

SIDE = 48
TRAIN_IDS = [3, 5, 8, 13, 21, 34, 55, 89]
TEST_IDS = [7, 4]
FOLDS = [0, 1]
COLOURS = np.array([(40, 90, 60), (200, 30, 30), (30, 40, 210)], np.uint8)


def truth(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A mask of two squares, classes 1 and 2."""
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    for label in (1, 2):
        top, left = rng.integers(0, SIDE - 20, 2)
        mask_HW[top : top + 18, left : left + 18] = label
    return mask_HW


def photo(mask_HW: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The mask in plain colours with a little noise."""
    return (COLOURS[mask_HW] + rng.integers(-3, 4, (SIDE, SIDE, 3))).astype(np.uint8)


def seen(mask_HW: NDArray[np.uint8], shift_px: int) -> NDArray[np.float32]:
    """probabilities_CHW of a network that is unsure and `shift_px` off."""
    shifted_HW = np.roll(mask_HW, shift_px, axis=1)
    probabilities_CHW = np.full((len(CONTEST), SIDE, SIDE), 0.01, np.float32)
    probabilities_CHW[:3] = 0.25
    np.put_along_axis(probabilities_CHW, shifted_HW[None].astype(np.int64), 0.42, axis=0)
    return probabilities_CHW / probabilities_CHW.sum(0)


def polygons(mask_HW: NDArray[np.uint8], image_id: int) -> list[dict[str, object]]:
    """COCO annotations that paint the mask again: one run of a row each."""
    from pycocotools import mask as coco_mask

    rows: list[dict[str, object]] = []
    for label in (1, 2):
        rle = coco_mask.encode(np.asfortranarray(mask_HW == label).astype(np.uint8))
        area = int(coco_mask.area(rle))
        segmentation = {"size": list(rle["size"]), "counts": rle["counts"].decode()}
        box = [float(side) for side in coco_mask.toBbox(rle)]
        row = {"id": 10 * image_id + label, "image_id": image_id, "category_id": label, "iscrowd": 0}
        rows.append({**row, "segmentation": segmentation, "area": area, "bbox": box})
    return rows


def build(round_id: str = "r0", model: str = "unet") -> None:
    """Write a round's artefacts into the current folder."""
    rng = np.random.default_rng(0)
    write_classes(paths.DATASET / "classes.json", CONTEST)
    assignment = {image_id: FOLDS[i % 2] for i, image_id in enumerate(TRAIN_IDS)}
    write_folds(paths.FOLDS / "folds.json", Folds(2, assignment))
    images: dict[str, list[dict[str, object]]] = {"train": [], "test": []}
    annotations: list[dict[str, object]] = []
    predict, ensemble = paths.predict(round_id, model), paths.ensemble(round_id)
    for image_id in [*TRAIN_IDS, *TEST_IDS]:
        mask_HW = truth(rng)
        name = f"batch/{image_id:04}.png"
        write_image(paths.DATASET / "images" / name, photo(mask_HW, rng))
        row = {"id": image_id, "file_name": name, "width": SIDE, "height": SIDE, "group": str(image_id)}
        probabilities_CHW = seen(mask_HW, 2)
        if image_id in assignment:
            images["train"].append(row)
            write_mask(paths.MASKS / f"{image_id}.png", mask_HW, CONTEST.palette())
            ProbabilityStore(predict / str(assignment[image_id]) / "val").write(image_id, probabilities_CHW)
            ProbabilityStore(ensemble / "oof").write(image_id, probabilities_CHW)
        else:
            images["test"].append(row)
            annotations += polygons(mask_HW, image_id)
            for fold in FOLDS:
                ProbabilityStore(predict / str(fold) / "test").write(image_id, seen(mask_HW, 1 + fold))
            ProbabilityStore(ensemble / "test").write(image_id, probabilities_CHW)
    categories = [{"id": i, "name": name} for i, name in enumerate(CONTEST.names) if i]
    write_json(
        paths.DATASET / "train_all.json", {"images": images["train"], "annotations": [], "categories": categories}
    )
    write_json(paths.DATASET / "test.json", {"images": images["test"], "annotations": [], "categories": categories})
    write_json(paths.POOL / f"{round_id}.json", {"images": [], "annotations": [], "categories": []})
    labels = {"images": images["test"], "annotations": annotations, "categories": categories}
    write_json(paths.TEST_LABELS, labels)


@pytest.fixture(scope="session")
def built_round(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the artefacts of round r0 up to the ensemble; not to be written to."""
    folder = tmp_path_factory.mktemp("round")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build()
    return folder


@pytest.fixture
def tiny_round(built_round: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `built_round` as the current folder."""
    shutil.copytree(built_round, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of 12 labelled images (two to a group) and their masks, as the first two stages leave them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    images, annotations, report = [], [], []
    for image_id in range(1, 13):
        mask_HW = truth(rng)
        name = f"batch/{image_id:04}.png"
        write_image(paths.DATASET / "images" / name, photo(mask_HW, rng))
        group = f"g{image_id // 2}"
        images.append({"id": image_id, "file_name": name, "width": SIDE, "height": SIDE, "group": group})
        annotations += polygons(mask_HW, image_id)
        write_mask(paths.MASKS / f"{image_id}.png", mask_HW, CONTEST.palette())
        pixels = np.bincount(mask_HW.ravel(), minlength=len(CONTEST)).tolist()
        report.append({"image_id": image_id, "pixels": pixels})
    write_json(paths.MASKS / "report.json", {"images": report})
    categories = [{"id": i, "name": name} for i, name in enumerate(CONTEST.names) if i]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    write_json(paths.DATASET / "train_all.json", coco)
    write_json(paths.DATASET / "test.json", {**coco, "images": [], "annotations": []})
    write_classes(paths.DATASET / "classes.json", CONTEST)
    return tmp_path
