"""The drawn sample: what it promises, and the same bytes for any number of jobs."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from trashseg.data.coco import Coco, read_coco
from trashseg.data.masks import paint
from trashseg.data.sample import draw_sample
from trashseg.io import read_image


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    draw_sample(folder, 3, 60, 15, 48, 2.6, 0.05, 0.1, jobs=1)
    return folder


@pytest.fixture(scope="module")
def labelled(sample) -> Coco:
    return read_coco(sample / "train_all.json")


def test_any_number_of_jobs_draws_the_same_bytes(tmp_path):
    for jobs in (1, 2):
        draw_sample(tmp_path / str(jobs), 5, 8, 3, 48, 2.0, 0.1, 0.2, jobs=jobs)
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_another_seed_draws_other_scenes(tmp_path):
    for seed in (1, 2):
        draw_sample(tmp_path / str(seed), seed, 2, 0, 48, 2.0, 0.0, 0.0, jobs=1)
    assert files(tmp_path / "1") != files(tmp_path / "2")


def test_every_class_is_there_and_the_rare_ones_are_rare(labelled):
    counts = Counter(row["category_id"] for row in labelled.annotations)
    assert set(counts) == set(range(1, 11))
    assert max(counts[9], counts[10]) < counts[2] / 3


def test_holes_parts_empty_images_and_second_shots_occur(labelled):
    segmentations = [row["segmentation"] for row in labelled.annotations]
    assert any(isinstance(value, dict) for value in segmentations)
    assert any(isinstance(value, list) and len(value) > 1 for value in segmentations)
    assert any(not rows for rows in labelled.annotations_of.values())
    scenes = Counter(image["scene"] for image in labelled.images)
    assert max(scenes.values()) == 2


def test_test_images_have_no_labels_but_in_their_own_file(sample):
    test, labels = read_coco(sample / "test.json"), read_coco(sample / "test_labels.json")
    assert not test.annotations
    assert labels.annotations
    assert test.images == labels.images


def test_labels_lie_on_what_is_drawn(sample, labelled):
    """A label's edge is an edge of the picture: contrast across it is higher than anywhere nearby."""
    across, nearby = [], []
    for image in labelled.images[:20]:
        mask_HW = paint(labelled.annotations_of[image["id"]], [], 48, 48)
        pixels = read_image(sample / "images" / image["file_name"]).astype(float).mean(2)
        edge_HW = mask_HW[:, 1:] != mask_HW[:, :-1]
        if edge_HW.any():
            step_HW = np.abs(np.diff(pixels, axis=1))
            across.append(step_HW[edge_HW].mean())
            nearby.append(step_HW[~edge_HW].mean())
    assert np.mean(across) > 2 * np.mean(nearby)
