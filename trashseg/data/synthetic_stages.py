"""Oversampled and copy-pasted sets from labelled images and their settings: what the stages and the verbs share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trashseg.classes import Classes
from trashseg.data.copy_paste import CopyPaste, CopyPastePlan, Variation, copy_paste_pool
from trashseg.data.oversample import Oversample, OversamplePlan, oversample_sources, oversample_targets
from trashseg.data.paste import Limits
from trashseg.data.rare_classes import class_indices, held_classes, rare_classes
from trashseg.data.scenes import SceneFile
from trashseg.data.synthesis_config import CopyPasteConfig, OversampleConfig
from trashseg.data.synthetic_set import SetFiles, first_id, make_set

RARE_SHARE_OF_MEDIAN = 0.5
PATCH_SHARE_OF_MEDIAN = 1.0
BROKEN_LIMITS = "for the others every place that was tried broke max_cover or min_visible_px"


@dataclass(frozen=True)
class Labelled:
    """The images a set may be made from, all of one fold's training images; their classes; where the set goes.

    `taken_ids` are all ids of the dataset, which no synthetic image may have.
    """

    files: Sequence[SceneFile]
    classes: Classes
    taken_ids: Sequence[int]
    fold: int
    out: Path


def make_oversampled(labelled: Labelled, config: OversampleConfig, seed: int, jobs: int) -> str:
    """Write an oversampled set, and say how many images it has; none where no object is worth pasting, and why."""
    rare = class_indices(config.rare_classes, labelled.classes, "oversample.rare_classes")
    rare = rare or rare_classes(labelled.files, RARE_SHARE_OF_MEDIAN)
    background = class_indices(config.background_classes, labelled.classes, "oversample.background_classes")
    background = background or frozenset(range(1, len(labelled.classes))) - rare
    recipe = Oversample(
        min_area_px=config.min_area_px,
        limits=Limits(config.max_cover, config.min_visible_px),
        soft_edge_px=config.soft_edge_px,
        flip=config.flip,
        elastic=config.elastic,
        elastic_px=config.elastic_px,
    )
    plan = OversamplePlan(
        oversample_sources(labelled.files, rare, config.min_area_px),
        oversample_targets(labelled.files, background, config.max_annotations),
    )
    files = _set_files(labelled, "oversample", config.format)
    made = make_set(recipe, plan, config.count, (seed, 1, labelled.fold), files, labelled.fold, jobs)
    return _said(made, config.count, labelled, _no_oversampling(plan, rare, background, config, labelled.classes))


def _no_oversampling(
    plan: OversamplePlan,
    rare: frozenset[int],
    background: frozenset[int],
    config: OversampleConfig,
    classes: Classes,
) -> str:
    """Why images are missing."""
    if not plan.sources:
        return f"no training image has an object of {_listed(rare, classes)} of at least {config.min_area_px} px"
    if not plan.targets:
        simple = f"at most {config.max_annotations} objects, all of {_listed(background, classes)}"
        return f"no training image to paste onto, which has {simple}"
    return BROKEN_LIMITS


def make_copy_pasted(labelled: Labelled, config: CopyPasteConfig, seed: int, jobs: int) -> str:
    """Write a copy-pasted set, and say how many images it has; none where fewer than two may take part, and why."""
    patch = class_indices(config.patch_classes, labelled.classes, "copy_paste.patch_classes")
    patch = patch or rare_classes(labelled.files, PATCH_SHARE_OF_MEDIAN)
    excluded = class_indices(config.excluded_classes, labelled.classes, "copy_paste.excluded_classes")
    quotas = {min(class_indices([name], labelled.classes, "copy_paste.quotas")): n for name, n in config.quotas.items()}
    recipe = CopyPaste(
        variation=Variation(
            large_px=config.large_px,
            small_px=config.small_px,
            flip=config.flip,
            turn=config.turn,
            jitter=config.jitter,
            jitter_range=config.jitter_range,
            placement=config.placement,
        ),
        limits=Limits(config.max_cover, config.min_visible_px),
        classes=patch if config.only_patch_classes else None,
        soft_edge_px=config.soft_edge_px,
        attempts=config.attempts,
    )
    plan = CopyPastePlan(copy_paste_pool(labelled.files, patch, excluded), quotas)
    files = _set_files(labelled, "copy_paste", config.format)
    made = make_set(recipe, plan, config.count, (seed, 2, labelled.fold), files, labelled.fold, jobs)
    return _said(made, config.count, labelled, _no_copy_paste(plan, patch, excluded, labelled.classes))


def _no_copy_paste(plan: CopyPastePlan, patch: frozenset[int], excluded: frozenset[int], classes: Classes) -> str:
    """Why images are missing."""
    if len(plan.pool) < 2:
        fit = _listed(patch, classes) + (f" and none of {_listed(excluded, classes)}" if excluded else "")
        return f"{len(plan.pool)} training images have an object of {fit}, expected at least 2"
    held = frozenset().union(*map(held_classes, plan.pool))
    if lacking := frozenset(plan.quotas) - held:
        return (
            f"copy_paste.quotas asks for {_listed(lacking, classes)}, of which no image that may be pasted from has any"
        )
    return BROKEN_LIMITS


def _set_files(labelled: Labelled, kind: str, image_format: str) -> SetFiles:
    return SetFiles(labelled.out, first_id(kind, labelled.taken_ids), f".{image_format}", labelled.classes)


def _listed(indices: frozenset[int], classes: Classes) -> str:
    return ", ".join(classes.names[index] for index in sorted(indices)) or "any class"


def _said(made: int, wanted: int, labelled: Labelled, why: str) -> str:
    """One line; `why` is told where images are missing."""
    return f"{made} of {wanted} images made in {labelled.out}" + (f": {why}" if made < wanted else "")
