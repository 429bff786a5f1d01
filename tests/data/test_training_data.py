"""Augmentation, numbered draws, sampling and mixing of batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.training.conftest import write_examples
from trashseg.classes import VOID
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Draw, ExampleCache, TrainingImages
from trashseg.data.mixing import class_mix, cut_mix
from trashseg.data.sampler import WeightedDraws, balance_weights, systematic
from trashseg.data.transforms import augment

EVERYTHING = {"elastic": 1.0, "perspective": 1.0, "grid_dropout": 1.0, "light": 1.0, "blur": 1.0, "rotate90": 1.0}
NOTHING = AugmentConfig(
    horizontal_flip=0, geometry=0, perspective=0, elastic=0, grid_dropout=0, light=0, to_gray=0, blur=0
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> TrainingImages:
    """Twelve images under every augmentation."""
    examples = write_examples(Path(tmp_path_factory.mktemp("drawn")), range(1, 13))
    return TrainingImages(ExampleCache(examples, 11, 10**8), (32, 48), AugmentConfig(**EVERYTHING), seed=3)


def test_labels_stay_labels_and_what_is_outside_is_void(images: TrainingImages) -> None:
    for position in range(20):
        image_CHW, mask_HW = images[Draw(position % 12, 0, position)]
        assert image_CHW.shape == (3, 32, 48) and image_CHW.dtype == torch.uint8
        assert set(mask_HW.unique().tolist()) <= {0, 1, 2, 3, VOID}
    mask_HW = np.ones((32, 32), np.uint8)
    smaller = AugmentConfig(geometry=1, scale_min=0.5, scale_max=0.5, shift=0, elastic=0, perspective=0)
    _, warped_HW = augment(np.zeros((32, 32, 3), np.uint8), mask_HW, (32, 32), smaller, np.random.default_rng(0))
    assert 0.1 < (warped_HW == 1).mean() < 0.4 and set(np.unique(warped_HW)) == {1, VOID}


def test_nothing_on_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    image_HWC, mask_HW = (
        rng.integers(0, 256, (32, 32, 3)).astype(np.uint8),
        rng.integers(0, 9, (32, 32)).astype(np.uint8),
    )
    same_HWC, same_HW = augment(image_HWC, mask_HW, (32, 32), NOTHING, rng)
    assert np.array_equal(same_HWC, image_HWC) and np.array_equal(same_HW, mask_HW)


@pytest.mark.parametrize("step", ["horizontal_flip", "vertical_flip", "rotate90", "elastic", "perspective"])
def test_image_and_mask_move_together(step: str) -> None:
    mask_HW = np.zeros((64, 64), np.uint8)
    mask_HW[8:40, 16:56] = 1
    image_HWC = np.repeat(mask_HW[..., None] * 200, 3, 2).astype(np.uint8)
    config = NOTHING.model_copy(update={step: 1.0})
    moved_HWC, moved_HW = augment(image_HWC, mask_HW, (64, 64), config, np.random.default_rng(1))
    seen = moved_HW != VOID
    agree = ((moved_HWC[..., 0] > 100) == (moved_HW == 1))[seen].mean()
    assert agree > 0.97 and not np.array_equal(moved_HW, mask_HW)


def test_draws_differ_by_epoch_and_position_and_repeat_by_seed(images: TrainingImages) -> None:
    first, again = images[Draw(0, 0, 0)][0], images[Draw(0, 0, 0)][0]
    assert torch.equal(first, again)
    others = [images[Draw(0, 1, 0)][0], images[Draw(0, 0, 1)][0]]
    assert not any(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_no_pixel(images: TrainingImages, workers: int) -> None:
    def epoch(workers: int, number: int) -> torch.Tensor:
        sampler = WeightedDraws(np.ones(12), 12, seed=5)
        sampler.set_epoch(number)
        loader = DataLoader(images, batch_size=4, sampler=sampler, num_workers=workers)
        return torch.cat([image_BCHW for image_BCHW, _ in loader])

    assert torch.equal(epoch(0, 0), epoch(workers, 0))
    assert not torch.equal(epoch(workers, 0), epoch(workers, 1))


def test_equal_weights_draw_each_image_once() -> None:
    drawn = systematic(np.ones(20), 20, np.random.default_rng(0))
    assert sorted(drawn) == list(range(20)) and list(drawn) != list(range(20))


def test_counts_are_within_one_of_the_expected() -> None:
    weight_N = np.array([1.0, 2.5, 0.0, 4.0])
    counts = np.bincount(systematic(weight_N, 60, np.random.default_rng(0)), minlength=4)
    assert np.abs(counts - 60 * weight_N / weight_N.sum()).max() <= 1 and counts[2] == 0


def test_processes_share_one_epoch() -> None:
    whole = list(WeightedDraws(np.ones(9), 12, seed=1))
    parts = [list(WeightedDraws(np.ones(9), 12, 1, process, 2)) for process in range(2)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)


def test_a_set_is_drawn_until_its_epoch() -> None:
    sampler = WeightedDraws(np.ones(6), 12, seed=1, until_N=np.array([np.inf] * 4 + [2] * 2))
    drawn = []
    for epoch in range(4):
        sampler.set_epoch(epoch)
        drawn.append({draw.example for draw in sampler})
    assert drawn == [{0, 1, 2, 3, 4, 5}] * 2 + [{0, 1, 2, 3}] * 2


def test_images_of_rare_classes_weigh_more() -> None:
    pixels_NC = np.array([[9, 0], [9, 0], [9, 0], [5, 4]])
    assert balance_weights(pixels_NC, 0.5).tolist() == pytest.approx([1, 1, 1, 2])
    assert balance_weights(pixels_NC, 0).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("mix", [cut_mix, class_mix])
def test_mixed_pixels_bring_their_labels(mix) -> None:
    mask_BHW = torch.zeros(2, 16, 16, dtype=torch.uint8)
    mask_BHW[0, :8], mask_BHW[1, 8:] = 1, 2
    image_BCHW = (mask_BHW * 50).unsqueeze(1).expand(2, 3, 16, 16)
    mixed_BCHW, mixed_BHW = mix(image_BCHW, mask_BHW, np.random.default_rng(0))
    assert torch.equal(mixed_BCHW[:, 0], mixed_BHW * 50)
    assert not torch.equal(mixed_BHW, mask_BHW)


def test_objects_are_pasted_as_often_as_params_say(images: TrainingImages) -> None:
    def paste(image_HWC, mask_HW, rng):
        return np.full_like(image_HWC, 255), np.full_like(mask_HW, 3)

    def share(probability: float) -> float:
        config = NOTHING.model_copy(update={"online_copy_paste": probability})
        pasted = TrainingImages(images.cache, (32, 32), config, seed=0, paste=paste)
        return float(np.mean([bool((pasted[Draw(0, 0, position)][1] == 3).all()) for position in range(200)]))

    assert share(0) == 0 and share(1) == 1
    assert 0.35 < share(0.5) < 0.65
