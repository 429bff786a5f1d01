"""Copy-paste: the objects of one image onto another (after Ghiasi et al. 2021, "Simple Copy-Paste").

Both images hold a patch class and no excluded class. A patch of many pixels is
shrunk to half size, one of few enlarged to double, one between is turned and
flipped; then come large-scale jittering and a place within the limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator

from trashseg.classes import VOID
from trashseg.data.byte_cache import ByteCache
from trashseg.data.geometry import warp
from trashseg.data.paste import Limits, paste
from trashseg.data.patch import Patch, cut, flipped, scaled, turned, without_small
from trashseg.data.rare_classes import held_classes
from trashseg.data.scenes import Scene, SceneFile, blank_scene, load_scene
from trashseg.data.synthetic_set import Pair

MIDDLE = (0.5, 0.5)


@dataclass(frozen=True)
class Variation:
    """What may be done to a patch; the fields are those of `copy_paste` in params.yaml."""

    large_px: int = 20_000
    small_px: int = 5_000
    flip: float = 0.5
    turn: bool = True
    jitter: str = "patch"
    jitter_range: tuple[float, float] = (0.2, 2.0)
    placement: str = "random"


@dataclass(frozen=True)
class CopyPaste:
    """The recipe: paste the objects of `classes` (None: all) of a pair's source onto its target."""

    variation: Variation
    limits: Limits
    classes: frozenset[int] | None
    soft_edge_px: float
    attempts: int

    def __call__(self, pair: Pair, rng: Generator) -> Scene | None:
        """A new scene, or None where `attempts` placements all broke a limit."""
        target = load_scene(pair.target)
        patch = cached_patch(pair.source, self.classes)
        if patch is None:
            return None
        for _ in range(self.attempts):
            scene = jittered(target, self.variation, rng) if self.variation.jitter == "both" else target
            size = scene.mask_HW.shape
            varied = without_small(vary(patch, self.variation, size, rng), self.limits.min_visible_px)
            if pair.wanted is not None and pair.wanted not in varied.classes():
                continue
            pasted = paste(scene, varied, place(varied, self.variation, size, rng), self.limits, self.soft_edge_px)
            if pasted is not None and (pair.wanted is None or pair.wanted in pasted.patch.classes()):
                return pasted.scene
        return None


CACHE: ByteCache[Patch | None] = ByteCache(256 << 20)
"""Patches of this process; a source is pasted many times, but cut once."""


def cached_patch(file: SceneFile, classes: frozenset[int] | None) -> Patch | None:
    """The objects of `classes` in an image, or None."""
    key = (file.key, classes)
    return CACHE.get(key, lambda: cut(load_scene(file), classes), lambda patch: patch.size_bytes if patch else 0)


def vary(patch: Patch, variation: Variation, size: tuple[int, ...], rng: Generator) -> Patch:
    """Shrink, enlarge or turn a patch by how much it covers, then flip and jitter it; at most `size` large."""
    large, small = patch.area_px > variation.large_px, patch.area_px < variation.small_px
    jitter = _log_uniform(variation.jitter_range, rng) if variation.jitter != "none" else 1.0
    mirror = rng.random() < variation.flip
    quarters, flips = 0, [False, mirror]
    if variation.turn and not large and not small:
        quarters = int(rng.integers(4))
        flips = [rng.random() < 0.5, (rng.random() < 0.5) != mirror]
    scale = (0.5 if large else 2.0 if small else 1.0) * jitter
    # Scaled first: turning and flipping cost less on what is small.
    patch = scaled(patch, scale, (size[1], size[0]) if quarters % 2 else (size[0], size[1]))
    if large or small:
        patch = _towards_middle(patch, 0.5 if large else 0.0)
    patch = turned(patch, quarters)
    for axis in (0, 1):
        patch = flipped(patch, axis) if flips[axis] else patch
    return patch


def _towards_middle(patch: Patch, share: float) -> Patch:
    """The patch with its place moved to `share` of its distance from the middle of the image."""
    y, x = ((at - 0.5) * share + 0.5 for at in patch.centre)
    return replace(patch, centre=(y, x))


def _log_uniform(bounds: tuple[float, float], rng: Generator) -> float:
    """A scale: halving is as likely as doubling."""
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def place(patch: Patch, variation: Variation, size: tuple[int, ...], rng: Generator) -> tuple[int, int]:
    """Top left corner (y, x) of the patch in a scene of `size`: around its own place, or anywhere it fits."""
    sides = patch.instances_HW.shape
    if variation.placement == "own":
        corner = [round(c * whole - side / 2) for c, whole, side in zip(patch.centre, size, sides, strict=True)]
    else:
        slack = [whole - side for whole, side in zip(size, sides, strict=True)]
        corner = [int(rng.integers(min(0, room), max(0, room) + 1)) for room in slack]
    return corner[0], corner[1]


def jittered(scene: Scene, variation: Variation, rng: Generator) -> Scene:
    """The scene scaled within the jitter range: a random crop of it, or it on a ground of ignored pixels."""
    scale = _log_uniform(variation.jitter_range, rng)
    height, width = scene.mask_HW.shape
    size = max(1, round(height * scale)), max(1, round(width * scale))
    y, x = (int(rng.integers(min(0, w - s), max(0, w - s) + 1)) for w, s in zip((height, width), size, strict=True))
    out = blank_scene(height, width, scene.classes_I)
    ground = np.s_[max(0, y) : y + size[0], max(0, x) : x + size[1]]
    matrix = np.array([[scale, 0, x], [0, scale, y]], np.float32)

    out.image_HWC[ground] = warp(scene.image_HWC, matrix, cv2.INTER_LINEAR)[ground]
    out.mask_HW[ground] = warp(scene.mask_HW, matrix, cv2.INTER_NEAREST)[ground]
    out.instances_HW[ground] = warp(scene.instances_HW, matrix, cv2.INTER_NEAREST)[ground]
    out.instances_HW[out.mask_HW == VOID] = 0
    return out


@dataclass(frozen=True)
class CopyPastePlan:
    """Chooses pairs: the first images fill the quotas, class by class; the rest are drawn freely."""

    pool: Sequence[SceneFile]
    quotas: Mapping[int, int]

    def __call__(self, index: int, rng: Generator) -> tuple[SceneFile, SceneFile, int | None] | None:
        """Target, source and wanted class of image `index`; None where there are no two images to choose from."""
        wanted = self._wanted(index)
        sources = [file for file in self.pool if wanted is None or wanted in held_classes(file)]
        if not sources:
            return None
        source = sources[int(rng.integers(len(sources)))]
        targets = [file for file in self.pool if file.image_id != source.image_id]
        if not targets:
            return None
        return targets[int(rng.integers(len(targets)))], source, wanted

    def _wanted(self, index: int) -> int | None:
        for wanted, quota in sorted(self.quotas.items()):
            if index < quota:
                return wanted
            index -= quota
        return None


def copy_paste_pool(
    files: Sequence[SceneFile], patch_classes: frozenset[int], excluded_classes: frozenset[int]
) -> list[SceneFile]:
    """The images that may take part: those with an object of a patch class and none of an excluded class."""
    return [
        file for file in files if (held := held_classes(file)) and held & patch_classes and not held & excluded_classes
    ]
