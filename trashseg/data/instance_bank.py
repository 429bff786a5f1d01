"""Copy-paste while training: objects of the fold's training images, kept in memory, stamped anew on each draw.

An image pasted once and learnt from for a hundred epochs teaches its seams;
here every epoch sees other objects in other places. The bank holds crops, not
images, at most so many of each class and within a budget of bytes, so its
memory does not grow with the dataset. The pipeline and `trashseg train` share
it. Nothing here needs torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from trashseg.data.paste import Limits, blend, overlap
from trashseg.data.patch import Patch, cut, flipped, scaled
from trashseg.data.scenes import SceneFile, load_scene, scene_files
from trashseg.io import read_json

MAX_SIDE_PX = 320
"""Larger objects are kept at this size."""

PER_CLASS = 200
BUDGET_BYTES = 256 << 20


@dataclass(frozen=True)
class InstanceBank:
    """Patches of one object each, by class index."""

    patches: Mapping[int, Sequence[Patch]]

    @classmethod
    def build(
        cls,
        files: Sequence[SceneFile],
        per_class: int = PER_CLASS,
        seed: int = 0,
        min_area_px: int = 64,
        budget_bytes: int = BUDGET_BYTES,
    ) -> "InstanceBank":
        """At most `per_class` objects of each class, chosen at random among `files`, in `budget_bytes` at most.

        `files` must be the fold's training images alone. Objects that show
        fewer than `min_area_px` pixels are left out. Classes share the budget
        evenly.
        """
        rng = np.random.default_rng(seed)
        found: dict[int, list[Patch]] = {index: [] for index in sorted(_classes_of(files))}
        room = {index: budget_bytes // len(found) for index in found}
        open_classes = set(found)
        for at in rng.permutation(len(files)).tolist():
            if open_classes & {a["category_id"] for a in files[at].annotations}:
                for index, patch in _objects(files[at], open_classes, min_area_px):
                    if len(found[index]) == per_class or patch.size_bytes > room[index]:
                        open_classes.discard(index)
                    else:
                        found[index].append(patch)
                        room[index] -= patch.size_bytes
        return cls({index: tuple(patches) for index, patches in found.items() if patches})

    @property
    def size_bytes(self) -> int:
        """Memory that the pixels take."""
        return sum(patch.size_bytes for patches in self.patches.values() for patch in patches)

    def draw(self, rng: Generator) -> Patch:
        """A patch of a random class: rare classes are drawn as often as common ones."""
        classes = list(self.patches)
        patches = self.patches[classes[int(rng.integers(len(classes)))]]
        return patches[int(rng.integers(len(patches)))]


def _classes_of(files: Sequence[SceneFile]) -> set[int]:
    return {a["category_id"] for file in files for a in file.annotations}


def _objects(file: SceneFile, classes: set[int], min_area_px: int) -> list[tuple[int, Patch]]:
    """The objects of an image worth keeping, with their class."""
    scene = load_scene(file)
    found = []
    for instance, index in enumerate(scene.classes_I.tolist()):
        if instance and index in classes and scene.areas_I[instance] >= min_area_px:
            patch = cut(scene, instance=instance)
            assert patch is not None
            found.append((index, _kept(patch, index)))
    return found


def _kept(patch: Patch, index: int) -> Patch:
    """The patch as instance 1 of its class, at most `MAX_SIDE_PX` on a side."""
    alone = Patch(
        patch.image_HWC,
        (patch.instances_HW > 0).astype(np.uint8),
        np.array([0, index], np.uint8),
        patch.centre,
    )
    longest = max(alone.instances_HW.shape)
    return scaled(alone, MAX_SIDE_PX / longest, (MAX_SIDE_PX, MAX_SIDE_PX)) if longest > MAX_SIDE_PX else alone


@dataclass(frozen=True)
class PasteObjects:
    """The training transform: `objects` of the bank, varied, onto an image and its mask.

    A mask knows no objects, so the limit on covering is per class: at most
    `limits.max_cover` of the pixels of each class in the image.
    """

    bank: InstanceBank
    objects: tuple[int, int] = (1, 3)
    scale: tuple[float, float] = (0.5, 1.5)
    limits: Limits = field(default_factory=Limits)
    soft_edge_px: float = 1.0

    def __call__(
        self, image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], rng: Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A new image_HWC and mask_HW with objects pasted in; those given are left as they are."""
        if not self.bank.patches:
            return image_HWC, mask_HW
        image_HWC, mask_HW = image_HWC.copy(), mask_HW.copy()
        before_C = _histogram(mask_HW)
        for _ in range(int(rng.integers(self.objects[0], self.objects[1] + 1))):
            self._stamp(image_HWC, mask_HW, before_C, self._varied(mask_HW.shape, rng), rng)
        return image_HWC, mask_HW

    def _varied(self, size: tuple[int, ...], rng: Generator) -> Patch:
        patch = self.bank.draw(rng)
        patch = flipped(patch, 1) if rng.random() < 0.5 else patch
        low, high = self.scale
        fits = min(side / length for side, length in zip(size, patch.instances_HW.shape, strict=True))
        return scaled(patch, min(low * (high / low) ** rng.random(), fits), (size[0], size[1]))

    def _stamp(
        self,
        image_HWC: NDArray[np.uint8],
        mask_HW: NDArray[np.uint8],
        before_C: NDArray[np.float32],
        patch: Patch,
        rng: Generator,
    ) -> None:
        """Paste into the arrays, unless a limit forbids it."""
        sides = patch.instances_HW.shape
        corner = tuple(int(rng.integers(0, whole - side + 1)) for whole, side in zip(mask_HW.shape, sides, strict=True))
        region, _ = overlap(mask_HW.shape, sides, (corner[0], corner[1]))
        stencil_HW = patch.instances_HW
        if region is None or cv2.countNonZero(stencil_HW) < self.limits.min_visible_px:
            return
        left_C = _histogram(mask_HW) - _histogram(mask_HW[region], stencil_HW)
        if (left_C < (1 - self.limits.max_cover) * before_C)[1:255].any():
            return
        image_HWC[region] = blend(image_HWC[region], patch.image_HWC, stencil_HW, self.soft_edge_px)
        mask_HW[region][stencil_HW > 0] = patch.classes_I[1]


def _histogram(mask_HW: NDArray[np.uint8], stencil_HW: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
    return np.ravel(cv2.calcHist([mask_HW], [0], stencil_HW, [256], [0, 256])).astype(np.float32)


def paste_from_fold(
    annotations: Path, images: Path, masks: Path, seed: int, per_class: int = PER_CLASS
) -> PasteObjects:
    """The training transform of a fold: its bank is made of the images in `kfold_{i}_train.json` alone."""
    return PasteObjects(InstanceBank.build(scene_files(read_json(annotations), images, masks), per_class, seed))
