"""A tiny labelled set: coloured rectangles on grey, whose class is their colour."""

from pathlib import Path

import numpy as np
import pytest

from trashseg import paths
from trashseg.classes import CONTEST, write_classes
from trashseg.data.dataset import Example
from trashseg.io import write_image, write_json, write_mask
from trashseg.lineage import Lineage, write_lineage

SIZE = 64


def draw(rng: np.random.Generator, first: int) -> tuple[np.ndarray, np.ndarray]:
    """image_HWC and mask_HW with two rectangles of classes `first` and another."""
    image = rng.integers(90, 120, (SIZE, SIZE, 3)).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for value in (first, int(rng.integers(1, 3))):
        y, x = rng.integers(0, SIZE // 2, 2)
        place = (slice(y, y + SIZE // 2), slice(x, x + SIZE // 2))
        image[place] = CONTEST.colours[value]
        mask[place] = value
    mask[:2] = 255
    return image, mask


def write_examples(folder: Path, ids: range, seed: int = 0) -> list[Example]:
    """Images and masks under `folder`."""
    rng = np.random.default_rng(seed)
    examples = []
    for image_id in ids:
        image, mask = draw(rng, 1 + image_id % 3)
        write_image(folder / "images" / f"{image_id}.png", image)
        write_mask(folder / "masks" / f"{image_id}.png", mask, CONTEST.palette())
        examples.append(Example(image_id, folder / "images" / f"{image_id}.png", folder / "masks" / f"{image_id}.png"))
    return examples


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """Twelve labelled images."""
    return write_examples(tmp_path_factory.mktemp("examples"), range(1, 13))


def write_pipeline(root: Path, folds: int = 2, images: int = 12) -> None:
    """The artefacts that `train` reads, under `root`: rows i with i % folds == fold are held out."""
    rows = [{"id": i, "file_name": f"{i}.png", "width": SIZE, "height": SIZE, "group": str(i)} for i in range(images)]
    dataset, masks = root / paths.DATASET, root / paths.MASKS
    for example in write_examples(root / "drawn", range(images)):
        masks.mkdir(parents=True, exist_ok=True)
        (dataset / "images").mkdir(parents=True, exist_ok=True)
        example.mask.rename(masks / example.mask.name)
        example.image.rename(dataset / "images" / example.image.name)
    write_classes(dataset / "classes.json", CONTEST)
    test_rows = [{**row, "id": row["id"] + 100} for row in rows[:2]]
    write_json(dataset / "train_all.json", {"images": rows, "annotations": [], "categories": []})
    write_json(dataset / "test.json", {"images": test_rows, "annotations": [], "categories": []})
    for fold in range(folds):
        parts = {
            "train": [row for row in rows if row["id"] % folds != fold],
            "val": [row for row in rows if row["id"] % folds == fold],
        }
        for part, part_rows in parts.items():
            write_json(root / paths.FOLDS / f"kfold_{fold}_{part}.json", {"images": part_rows})
        for folder in (paths.oversample(fold), paths.copy_paste(fold)):
            write_json(root / folder / "annotations.json", {"images": []})
            write_lineage(root / folder / "lineage.json", Lineage(fold, {}))
        write_pseudo_labels(root, "r0", fold, True, [])


def write_pseudo_labels(root: Path, round_id: str, fold: int, accepted: bool, ids: list[int]) -> None:
    """A `pseudo_label` folder whose masks are all class 1."""
    folder = root / paths.pseudo_label(round_id, fold)
    manifest = {"accepted": accepted, "reason": "because", "teacher": "none", "images": ids, "weight": 1.0}
    write_json(folder / "manifest.json", manifest)
    write_lineage(folder / "lineage.json", Lineage(fold, {image_id: (image_id,) for image_id in ids}))
    for image_id in ids:
        mask = np.ones((SIZE, SIZE), np.uint8)
        write_mask(folder / "masks" / f"{image_id}.png", mask, CONTEST.palette())
