"""Images and masks for training: decoded once within a memory budget, varied by numbered draws.

An item is asked for by a `Draw`: which example, and the epoch and position it
is drawn at. The draw's numbers seed the augmentation, so that what a worker
does never depends on which worker it is, how many there are, or what was
drawn before: the same seed gives the same images, and each epoch new ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from trashseg.classes import VOID
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.transforms import augment, resize, resize_mask
from trashseg.errors import InputError
from trashseg.io import read_image, read_mask

Paste = Callable[
    [NDArray[np.uint8], NDArray[np.uint8], np.random.Generator], tuple[NDArray[np.uint8], NDArray[np.uint8]]
]
"""An online copy-paste: (image_HWC, mask_HW, rng) -> (image_HWC, mask_HW)."""


@dataclass(frozen=True)
class Example:
    """A labelled image; `origin` is the set it comes from (`labelled`, `oversample`, ...)."""

    image_id: int
    image: Path
    mask: Path
    origin: str = "labelled"


class Draw(NamedTuple):
    """One draw of a training: the example's index, the epoch, and the position within it."""

    example: int
    epoch: int
    position: int


class ExampleCache:
    """Decoded examples, kept until `budget_bytes` are used."""

    def __init__(self, examples: Sequence[Example], classes: int, budget_bytes: int) -> None:
        self.examples = examples
        self.classes = classes
        self.room = budget_bytes
        self.kept: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}

    def close(self) -> None:
        """Keep no more than there is."""
        self.room = 0

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """image_HWC and mask_HW of an example; `InputError` where they are of two sizes or a label is no class."""
        if index in self.kept:
            return self.kept[index]
        example = self.examples[index]
        image_HWC, mask_HW = read_image(example.image), read_mask(example.mask)
        if image_HWC.shape[:2] != mask_HW.shape:
            raise InputError(f"{example.mask}: size {mask_HW.shape} found, expected the image's {image_HWC.shape[:2]}")
        highest = int(mask_HW[mask_HW != VOID].max(initial=0))
        if highest >= self.classes:
            raise InputError(f"{example.mask}: class {highest} found, expected 0..{self.classes - 1} or {VOID}")
        size = image_HWC.nbytes + mask_HW.nbytes
        if size <= self.room:
            self.room -= size
            self.kept[index] = image_HWC, mask_HW
        return image_HWC, mask_HW


def as_tensors(image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """image_CHW and mask_HW as uint8 tensors: the device turns them into floats and normalises."""
    image_CHW = np.ascontiguousarray(image_HWC.transpose(2, 0, 1))
    return torch.from_numpy(image_CHW), torch.from_numpy(np.require(mask_HW, requirements=["C", "W"]))


class TrainingImages(Dataset[tuple[Tensor, Tensor]]):
    """Augmented images by `Draw`: image_CHW and mask_HW, uint8, at `size`."""

    def __init__(
        self,
        cache: ExampleCache,
        size: tuple[int, int],
        config: AugmentConfig,
        seed: int,
        paste: Paste | None = None,
    ) -> None:
        self.cache, self.size, self.config, self.seed, self.paste = cache, size, config, seed, paste

    def __len__(self) -> int:
        return len(self.cache.examples)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, draw.epoch, draw.position))
        image_HWC, mask_HW = self.cache.read(draw.example)
        if self.paste is not None and rng.random() < self.config.online_copy_paste:
            image_HWC, mask_HW = self.paste(image_HWC, mask_HW, rng)
        return as_tensors(*augment(image_HWC, mask_HW, self.size, self.config, rng))


@dataclass(frozen=True)
class ValidationBatch:
    """Images at the network's size, and their masks at their own."""

    index: list[int]
    image_BCHW: Tensor
    masks_HW: list[Tensor]


class ValidationImages(Dataset[tuple[int, Tensor, Tensor]]):
    """Every image once, unvaried: its index, image_CHW at `size`, and mask_HW at its own size."""

    def __init__(self, cache: ExampleCache, size: tuple[int, int]) -> None:
        self.cache, self.size = cache, size

    def __len__(self) -> int:
        return len(self.cache.examples)

    def __getitem__(self, index: int) -> tuple[int, Tensor, Tensor]:
        image_HWC, mask_HW = self.cache.read(index)
        return index, *as_tensors(resize(image_HWC, self.size), mask_HW)


def collate_validation(items: list[tuple[int, Tensor, Tensor]]) -> ValidationBatch:
    """One batch of items whose masks may be of different sizes."""
    index, images, masks = zip(*items, strict=True)
    return ValidationBatch(list(index), torch.stack(images), list(masks))


def nearest_target(masks_HW: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The masks at the network's size, target_BHW int64."""
    return torch.stack([torch.from_numpy(resize_mask(mask_HW.numpy(), size)) for mask_HW in masks_HW]).long()


def count_pixels(cache: ExampleCache) -> NDArray[np.int64]:
    """How many pixels of each class each example has, (examples, classes)."""
    counts = np.zeros((len(cache.examples), cache.classes), np.int64)
    for index in range(len(cache.examples)):
        counts[index] = np.bincount(cache.read(index)[1].ravel(), minlength=256)[: cache.classes]
    return counts
