"""What a training draws its batches from, and what it is validated on.

Under torchrun each process draws its share of the same epoch, and validates
its share of the images: nothing is padded, nothing is drawn twice.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import (
    Example,
    ExampleCache,
    Paste,
    TrainingImages,
    ValidationImages,
    collate_validation,
    count_pixels,
)
from trashseg.data.mixing import class_mix, cut_mix
from trashseg.data.sampler import WeightedDraws, balance_weights
from trashseg.training.config import TrainConfig
from trashseg.training.module import BatchMixer
from trashseg.training.sets import ExampleSet


@dataclass(frozen=True)
class Material:
    """The decoded examples of a training, how often each is drawn, and those held out.

    `pixels_C` counts the training labels by class, each image once; `until_N`
    is the epoch from which on an image is drawn no more.
    """

    training: ExampleCache
    weight_N: NDArray[np.float64]
    until_N: NDArray[np.float64]
    pixels_C: NDArray[np.int64]
    validation: ExampleCache
    workers: int


def prepare(sets: Sequence[ExampleSet], validation: Sequence[Example], classes: int, config: TrainConfig) -> Material:
    """Read all labels once, to weigh images by their rarest class."""
    examples = [example for part in sets for example in part.examples]
    workers = loading_processes(config.workers)
    cache = ExampleCache(examples, classes, int(config.cache_gb * 2**30 * 0.8))
    pixels_NC = count_pixels(cache)
    cache.close()  # loading processes share what is there by fork; none keeps more of its own
    lengths = [len(part.examples) for part in sets]
    until_N = np.repeat([np.inf if part.until_epoch is None else part.until_epoch for part in sets], lengths)
    weight_N = np.repeat([part.weight for part in sets], lengths) * balance_weights(pixels_NC, config.balance_power)
    held_out = ExampleCache(validation, classes, int(config.cache_gb * 2**30 * 0.2))
    return Material(cache, weight_N, until_N, pixels_NC.sum(0), held_out, workers)


def loading_processes(workers: int | None) -> int:
    """How many processes load images: as told, or half the cores beside a GPU, or none."""
    if workers is not None:
        return workers
    return (os.cpu_count() or 2) // 2 if torch.cuda.is_available() else 0


def processes() -> tuple[int, int]:
    """This process's rank and the number of processes, as torchrun says."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this is the process that writes and tells: the only one, or the first under torchrun."""
    return processes()[0] == 0


def training_loader(
    material: Material,
    config: TrainConfig,
    augment: AugmentConfig,
    seed: int,
    paste: Paste | None = None,
) -> DataLoader[Any]:
    """Whole batches only: an epoch is rounded up to a multiple of all processes' batches."""
    rank, world = processes()
    step = config.batch_size * config.accumulate * world
    wanted = config.images_per_epoch or int((material.weight_N > 0).sum())
    draws = -(-wanted // step) * step
    return DataLoader(
        TrainingImages(material.training, config.image_size, augment, seed, paste),
        batch_size=config.batch_size,
        sampler=WeightedDraws(material.weight_N, draws, seed, rank, world, material.until_N),
        num_workers=material.workers,
        persistent_workers=material.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def validation_loader(material: Material, config: TrainConfig) -> DataLoader[Any]:
    """Every image once; under DDP each process takes every n-th."""
    rank, world = processes()
    return DataLoader(
        ValidationImages(material.validation, config.image_size),
        batch_size=config.batch_size,
        sampler=range(rank, len(material.validation.examples), world),
        collate_fn=collate_validation,
    )


def batch_mixer(augment: AugmentConfig, seed: int) -> BatchMixer | None:
    """Cut-mix or class-mix of batches by their probabilities; None where both are 0."""
    if not augment.cut_mix and not augment.class_mix:
        return None

    def mix(
        image_BCHW: torch.Tensor, mask_BHW: torch.Tensor, epoch: int, batch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng((seed, 1, epoch, batch, processes()[0]))
        cut, classes = rng.random(2) < (augment.cut_mix, augment.class_mix)
        if cut:
            image_BCHW, mask_BHW = cut_mix(image_BCHW, mask_BHW, rng)
        if classes:
            image_BCHW, mask_BHW = class_mix(image_BCHW, mask_BHW, rng)
        return image_BCHW, mask_BHW

    return mix
