"""The artefacts of a finished tiny pipeline: drawn photos, answers that are mostly right."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import Classes, named, write_classes
from trashseg.data.folds import Folds, write_folds
from trashseg.evaluation.confusion import confusion_matrix, iou_per_class, mean_iou
from trashseg.evaluation.tables import write_confusion
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import write_image, write_json, write_mask

NAMES = ("Background", "Paper & card", "Metal", "Battery")
SIDE = 64


def scene(rng: np.random.Generator, empty: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photo and its mask: up to two rectangles of classes 1 and 2 (Battery never occurs)."""
    image_HWC = rng.integers(90, 140, (SIDE, SIDE, 3), np.uint8)
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    for index in () if empty else (1, 2):
        y, x = rng.integers(4, SIDE - 28, 2)
        mask_HW[y : y + 20, x : x + 24] = index
        image_HWC[mask_HW == index] = (230, 220, 200) if index == 1 else (60, 70, 90)
    mask_HW[:1] = 255
    return image_HWC, mask_HW


def probabilities(mask_HW: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A store's content whose argmax is the mask."""
    clean_HW = np.where(mask_HW == 255, 0, mask_HW)
    return (0.7 * np.eye(len(NAMES), dtype=np.float32)[clean_HW] + 0.3 / len(NAMES)).transpose(2, 0, 1).copy()


def answer(mask_HW: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """The mask moved to the right: wrong at its edges."""
    clean_HW = np.where(mask_HW == 255, 0, mask_HW).astype(np.uint8)
    return np.roll(clean_HW, shift, axis=1)


def step(name: str, confusion_CC: NDArray[np.int64]) -> dict[str, object]:
    """An entry of metrics.json."""
    score = mean_iou(confusion_CC)
    ious = iou_per_class(confusion_CC)
    per_class = {n: None if np.isnan(iou) else float(iou) for n, iou in zip(NAMES, ious, strict=True)}
    return {
        "step": name,
        "images": 9,
        "miou": score,
        "miou_256": score - 0.01,
        "interval": [score - 0.05, score + 0.04],
        "per_class": per_class,
        "boundary_iou": score / 2,
        "per_class_boundary": {n: None if iou is None else iou / 2 for n, iou in per_class.items()},
        "by_size": {"small": {"objects": 0}, "large": {"objects": 7, "found": 0.9, "covered": 0.8}},
    }


def write_model_folder(folder: Path, fold: int) -> None:
    """History and description of a training."""
    write_json(folder / "model.json", {"architecture": "Unet"})
    mious = [0.1, "", 0.3, "", 0.5]  # validated every second epoch
    rows = "".join(f"{e},{1 / (e + 1 + fold)},{miou},0.01\n" for e, miou in enumerate(mious))
    (folder / "history.csv").write_text("epoch,train_loss,val_miou,lr\n" + rows)
    write_json(folder / "metrics.json", {"miou": 0.6, "epoch": 3, "per_class": {}})


def write_round(round_id: str, truths: dict[int, NDArray[np.uint8]], tests: list[int], classes: Classes) -> None:
    """Stores, refined masks, model folders and scores of a round with one network and three folds."""
    palette = classes.palette()
    total = np.zeros((len(NAMES), len(NAMES)), np.int64)
    for image, truth_HW in truths.items():
        part = "test" if image in tests else "oof"
        ProbabilityStore(paths.ensemble(round_id) / part).write(image, probabilities(answer(truth_HW, 4 + image % 3)))
        refined_HW = answer(truth_HW, 2 + image % 3)
        write_mask(paths.refine(round_id) / part / paths.mask_name(image), refined_HW, palette)
        total += confusion_matrix(truth_HW, refined_HW, len(NAMES)) * (part == "oof")
    for fold in range(3):
        for image in tests:
            store = ProbabilityStore(paths.predict(round_id, "unet") / str(fold) / "test")
            store.write(image, probabilities(answer(truths[image], 2 * fold)))
        write_model_folder(paths.train(round_id, "unet", fold), fold)
    write_json(paths.refine(round_id) / "refine.json", {"on": True, "reason": "on: +0.0200 mIoU", "gain": 0.02})
    folder = paths.evaluate(round_id)
    steps = [step(name, total) for name in ("member unet/0", "unet folds", "ensemble", "crf")]
    gain = {"from": "ensemble", "to": "crf", "gain": 0.02, "interval": [0.01, 0.03], "p_value": 0.004}
    write_json(folder / "oof" / "metrics.json", {"round": round_id, "steps": steps, "comparisons": [gain]})
    (folder / "oof" / "calibration.csv").write_text("confidence,accuracy,share\n0.4,0.3,0.2\n0.9,0.95,0.8\n")
    write_confusion(folder / "oof" / "confusion.csv", total, NAMES)
    write_json(folder / "test" / "metrics.json", {"round": round_id, "known": True, "steps": steps})


def build(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write everything below `root` and go there."""
    monkeypatch.chdir(root)
    rng = np.random.default_rng(0)
    classes = named(NAMES)
    truths: dict[int, NDArray[np.uint8]] = {}
    rows = {"train_all": [], "test": []}
    annotations: list[dict[str, int]] = []
    for image in range(12):
        image_HWC, truths[image] = scene(rng, empty=image == 5)
        split = "train_all" if image < 9 else "test"
        rows[split].append({"id": image, "file_name": f"batch/{image}.jpg", "width": SIDE, "height": SIDE})
        write_image(paths.DATASET / "images" / f"batch/{image}.jpg", image_HWC)
        if image < 9:
            write_mask(paths.MASKS / paths.mask_name(image), truths[image], classes.palette())
            found = (index for index in (1, 2) if (truths[image] == index).any())
            annotations += [{"image_id": image, "category_id": index} for index in found]
    write_json(paths.DATASET / "train_all.json", {"images": rows["train_all"], "annotations": annotations})
    write_json(paths.DATASET / "test.json", {"images": rows["test"], "annotations": []})
    write_classes(paths.DATASET / "classes.json", classes)
    write_folds(paths.FOLDS / "folds.json", Folds(3, {image: image % 3 for image in range(9)}))
    write_json(paths.FOLDS / "balance.json", {"notes": ["class 'Battery' has no pixels: no fold can be scored on it"]})
    write_round("r0", truths, [9, 10, 11], classes)
    reason = "the best out of fold <b>by far</b>"
    write_json(paths.SELECT / "selected.json", {"round": "r0", "step": "crf", "reason": reason})
    (root / "params.yaml").write_text("rounds: [{id: r0, teacher: none}]\nmodels: [unet]\nfolds: [0, 1, 2]\n")
    return root


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with all artefacts of one round."""
    return build(tmp_path, monkeypatch)


@pytest.fixture
def change() -> Callable[[Path, Callable[[dict], None]], None]:
    """Change a JSON file in place."""

    def apply(path: Path, edit: Callable[[dict], None]) -> None:
        content = json.loads(path.read_text())
        edit(content)
        write_json(path, content)

    return apply
