"""Oversampling: one object of a rare class, at its own place, onto a simple image; then a flip and an elastic bend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from trashseg.data.copy_paste import Variation, place
from trashseg.data.geometry import flip, remap
from trashseg.data.paste import Limits, paste
from trashseg.data.patch import cut
from trashseg.data.rare_classes import held_classes
from trashseg.data.scenes import Scene, SceneFile, load_scene
from trashseg.data.synthetic_set import Pair

OWN_PLACE = Variation(placement="own")
ELASTIC_GRID_PX = 80
"""Distance of the points whose random shifts bend an image; between them the shift is smooth."""


@dataclass(frozen=True)
class Oversample:
    """The recipe: paste an object of the pair's wanted class; the fields are those of `oversample` in params.yaml."""

    min_area_px: int
    limits: Limits
    soft_edge_px: float
    flip: float
    elastic: float
    elastic_px: float

    def __call__(self, pair: Pair, rng: Generator) -> Scene | None:
        """A new scene, or None where the source's objects are too small or would hide too much."""
        source, target = load_scene(pair.source), load_scene(pair.target)
        large = np.flatnonzero((source.areas_I >= self.min_area_px) & (source.classes_I == pair.wanted))
        for instance in rng.permutation(large).tolist():
            patch = cut(source, instance=instance)
            assert patch is not None, pair.source.image
            corner = place(patch, OWN_PLACE, target.mask_HW.shape, rng)
            pasted = paste(target, patch, corner, self.limits, self.soft_edge_px)
            if pasted is not None:
                return self._bent(pasted.scene, rng)
        return None

    def _bent(self, scene: Scene, rng: Generator) -> Scene:
        if rng.random() < self.flip:
            scene = mirrored(scene)
        return elastic(scene, self.elastic_px, rng) if rng.random() < self.elastic else scene


def mirrored(scene: Scene) -> Scene:
    """The scene, left to right."""
    return replace(
        scene,
        image_HWC=flip(scene.image_HWC, 1),
        mask_HW=flip(scene.mask_HW, 1),
        instances_HW=flip(scene.instances_HW, 1),
    )


def elastic(scene: Scene, displacement_px: float, rng: Generator) -> Scene:
    """The scene bent smoothly (Simard et al. 2003): pixels move by about `displacement_px`; borders are mirrored."""
    height, width = scene.mask_HW.shape
    rows_HW, columns_HW = _grid(height, width)
    rows_HW, columns_HW = (
        place_HW + _smooth_shift(height, width, displacement_px, rng) for place_HW in (rows_HW, columns_HW)
    )

    return replace(
        scene,
        image_HWC=remap(scene.image_HWC, columns_HW, rows_HW, cv2.INTER_LINEAR),
        mask_HW=remap(scene.mask_HW, columns_HW, rows_HW, cv2.INTER_NEAREST),
        instances_HW=remap(scene.instances_HW, columns_HW, rows_HW, cv2.INTER_NEAREST),
    )


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows_HW, columns_HW = np.mgrid[:height, :width].astype(np.float32)
    return rows_HW, columns_HW


def _smooth_shift(height: int, width: int, displacement_px: float, rng: Generator) -> NDArray[np.float32]:
    points = rng.normal(0, displacement_px, (height // ELASTIC_GRID_PX + 2, width // ELASTIC_GRID_PX + 2))
    return np.asarray(cv2.resize(points.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC))


@dataclass(frozen=True)
class OversamplePlan:
    """Chooses pairs: rare classes in turn, each source at random."""

    sources: dict[int, list[SceneFile]]
    targets: Sequence[SceneFile]

    def __call__(self, index: int, rng: Generator) -> tuple[SceneFile, SceneFile, int | None] | None:
        """Target, source and class of image `index`; None where there is nothing to paste, or nothing to paste onto."""
        if not self.sources:
            return None
        wanted = sorted(self.sources)[index % len(self.sources)]
        source = self.sources[wanted][int(rng.integers(len(self.sources[wanted])))]
        targets = [file for file in self.targets if file.image_id != source.image_id]
        return (targets[int(rng.integers(len(targets)))], source, wanted) if targets else None


def oversample_sources(
    files: Sequence[SceneFile], rare: frozenset[int], min_area_px: int
) -> dict[int, list[SceneFile]]:
    """For each rare class the images with an annotation of it of at least `min_area_px`."""
    found = {
        index: [
            file
            for file in files
            if any(a["category_id"] == index and a["area"] >= min_area_px for a in file.annotations)
        ]
        for index in sorted(rare)
    }
    return {index: sources for index, sources in found.items() if sources}


def oversample_targets(files: Sequence[SceneFile], background: frozenset[int], max_annotations: int) -> list[SceneFile]:
    """The images simple enough to paste onto: few annotations, all of background classes."""
    return [file for file in files if len(file.annotations) <= max_annotations and held_classes(file) <= background]
