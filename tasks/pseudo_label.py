"""Stage pseudo_label: what a round may learn from its teacher's answers to images without labels, for one fold.

The answers are those of this fold's own members, and all that is fitted
(weights, thresholds) is fitted on the other folds' images, so this fold's
validation images say nothing about its labels. The round is declined, with the
reason, where the teacher is not good or not sure enough, or was not better
than its own teacher. Images are those of the test set and of the pool.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trashseg import paths
from trashseg.classes import Classes, read_classes
from trashseg.config import read_section, read_value
from trashseg.data.folds import Folds, read_folds
from trashseg.errors import run_command
from trashseg.inference.config import PseudoLabelConfig
from trashseg.inference.out_of_fold import read_sample
from trashseg.inference.photos import photo_paths, pool_paths
from trashseg.inference.probabilities import LEVELS, ProbabilityStore, mean_probabilities
from trashseg.inference.pseudo_label import (
    Candidate,
    Threshold,
    choose,
    describe,
    fit_thresholds,
    label,
    limited_weight,
    threshold_rows,
)
from trashseg.inference.weights import Weights, combined, fit_member_weights, score
from trashseg.inference.workers import each
from trashseg.io import read_json, write_json, write_mask
from trashseg.lineage import Lineage, write_lineage

NO_TEACHER = "none"


def stores(teacher: str, models: Sequence[str], fold: int, part: str, names: Sequence[str]) -> list[ProbabilityStore]:
    """One store per network of the teacher's predictions."""
    return [ProbabilityStore(paths.predict(teacher, model) / str(fold) / part, names) for model in models]


def calibrate(
    teacher: str, models: Sequence[str], fold: int, split: Folds, names: Sequence[str], config: PseudoLabelConfig
) -> tuple[Weights, list[Threshold], float]:
    """Member weights, thresholds and the teacher's mIoU, all from the folds other than `fold`."""
    assignment = {image_id: other for image_id, other in split.assignment.items() if other != fold}
    others = {other: stores(teacher, models, other, "val", names) for other in set(assignment.values())}
    sample = read_sample(others, assignment, paths.MASKS, config.fit_pixels, config.workers)
    weights = fit_member_weights(sample)
    probabilities_SC = combined(sample.members_MSC, weights) / np.float32(LEVELS)
    thresholds = fit_thresholds(
        probabilities_SC, sample.truth_S, config.precision, config.min_confidence, config.max_confidence
    )
    return weights, thresholds, score(sample, weights)


def images_without_labels(sources: Sequence[str]) -> dict[int, str]:
    """Image id -> the part of the predictions that answers it (test, pool), of the sources that may be learned from."""
    known = {
        "test": photo_paths(paths.DATASET / "test.json", paths.DATASET / "images"),
        "pool": pool_paths(paths.DATASET),
    }
    return {image_id: part for part in sources for image_id in known[part]}


def write_masks(
    members: Mapping[str, Sequence[ProbabilityStore]], images: Mapping[int, str], weights: Weights,
    thresholds: Sequence[Threshold], classes: Classes, folder: Path, config: PseudoLabelConfig,
) -> list[Candidate]:  # fmt: skip
    """A mask for every image without labels, and what each of them holds; `members` answer by part."""
    palette = classes.palette()

    def write(image_id: int) -> Candidate:
        answer_CHW = mean_probabilities(members[images[image_id]], image_id, weights)
        mask_HW = label(answer_CHW, thresholds, config.min_area_px)
        write_mask(folder / paths.mask_name(image_id), mask_HW, palette)
        return describe(image_id, mask_HW)

    return list(each(write, list(images), "pseudo labels", config.workers))


def gained(teacher: str, fold: int, miou: float) -> float | None:
    """How far the teacher is above its own teacher, on the same pixels; None where it had none."""
    before = read_json(paths.pseudo_label(teacher, fold) / "manifest.json").get("teacher_miou")
    return None if before is None else miou - float(before)


def verdict(
    miou: float, gain: float | None, thresholds: Sequence[Threshold], images: int, config: PseudoLabelConfig
) -> tuple[bool, str]:
    """Whether the round learns from these labels, and why."""
    if miou < config.min_teacher_miou:
        return False, f"the teacher's out-of-fold mIoU is {miou:.3f}, below {config.min_teacher_miou:g}"
    if gain is not None and config.min_teacher_gain is not None and gain <= config.min_teacher_gain:
        return False, f"the teacher gained {gain:+.4f} mIoU over its own, not more than {config.min_teacher_gain:g}"
    if all(threshold.confidence is None for threshold in thresholds[1:]):
        return False, f"no class but Background is right {config.precision:.0%} of the time at any confidence"
    if images < config.min_images:
        return False, f"{images} images are sure enough, fewer than {config.min_images}"
    return True, f"{images} images are sure enough, from a teacher of out-of-fold mIoU {miou:.3f}"


def run(teacher: str, round_id: str, fold: int, models: list[str], config: PseudoLabelConfig) -> None:
    """Write `artifacts/pseudo_label/{round}/{fold}`: masks, manifest.json, lineage.json."""
    out = paths.pseudo_label(round_id, fold)
    building = out.with_name(f".{out.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    (building / "masks").mkdir(parents=True)
    if teacher == NO_TEACHER:
        manifest: Mapping[str, Any] = {
            "accepted": True,
            "reason": "the first round learns from labelled images alone",
            "teacher": teacher,
            "images": [],
            "thresholds": {},
            "weight": 0.0,
        }
    else:
        manifest = pseudo_labels(teacher, fold, models, config, building / "masks")
    write_json(building / "manifest.json", manifest)
    # no labelled image's pixels are in a pseudo-labelled photo: its list of sources is empty
    write_lineage(building / "lineage.json", Lineage(fold, dict.fromkeys(manifest["images"], ())))
    shutil.rmtree(out, ignore_errors=True)
    building.rename(out)


def pseudo_labels(
    teacher: str, fold: int, models: list[str], config: PseudoLabelConfig, folder: Path
) -> dict[str, Any]:
    """Fill `folder` with the masks of the images used; the manifest."""
    classes = read_classes(paths.DATASET / "classes.json")
    images = images_without_labels(config.sources)
    split = read_folds(paths.FOLDS / "folds.json")
    weights, thresholds, miou = calibrate(teacher, models, fold, split, classes.names, config)
    members: dict[str, Sequence[ProbabilityStore]] = {
        part: stores(teacher, models, fold, part, classes.names) for part in config.sources
    }
    candidates = write_masks(members, images, weights, thresholds, classes, folder, config)
    ids = choose(candidates, config.min_sure, config.min_object_px, config.max_images, config.class_balance)
    accepted, reason = verdict(miou, gained(teacher, fold, miou), thresholds, len(ids), config)
    kept = ids if accepted else []
    for candidate in candidates:
        if candidate.image_id not in kept:
            (folder / paths.mask_name(candidate.image_id)).unlink()
    print(f"pseudo labels, fold {fold}: {'accepted' if accepted else 'declined'}: {reason}")
    return {
        "accepted": accepted,
        "reason": reason,
        "teacher": teacher,
        "images": kept,
        "thresholds": threshold_rows(thresholds, classes.names),
        "weight": limited_weight(config.weight, len(kept), len(split.training_ids(fold)), config.max_share),
        "member_weights": dict(zip(models, np.round(weights, 6).tolist(), strict=True)),
        "teacher_miou": miou,
        "sure": float(np.mean([c.sure for c in candidates])) if candidates else 0.0,
    }


def main() -> None:
    """Command line: python -m tasks.pseudo_label --round r1 --teacher r0 --fold 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", required=True, help="id of the round that learns, e.g. r1")
    parser.add_argument("--teacher", required=True, help="id of the round that answers, or none")
    parser.add_argument("--fold", required=True, type=int, help="fold whose members answer, e.g. 0")
    arguments = parser.parse_args()
    config = read_section("pseudo_label", PseudoLabelConfig)
    run(arguments.teacher, arguments.round, arguments.fold, read_value("models", list), config)


if __name__ == "__main__":
    run_command(main)
