"""The steps of a round and their masks: a single look, members, each network's folds, the ensemble, the CRF.

Out of fold each image has one member per network, so "folds" are that
network's members each on its own validation images. On test images all
members answer, and "folds" is the mean of a network's probabilities. A member
"without TTA" answers by a single look; there is such a step where the members
average several.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.evaluation.calibration import calibration_counts
from trashseg.evaluation.scores import Counts, count
from trashseg.evaluation.step_names import ENSEMBLE, FINAL, FOLDS, WITHOUT_TTA, member_step
from trashseg.inference.crf import argmax
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.workers import each
from trashseg.io import read_mask

Member = tuple[str, int]
"""(network, fold)."""


@dataclass(frozen=True)
class Answers:
    """Where a round's answers for some images lie; `names` are the class names."""

    predict: Callable[[Member], Path]
    members_of: Mapping[int, Sequence[Member]]
    ensemble: Path
    refined: Path
    names: Sequence[str]


@dataclass(frozen=True)
class ImageScores:
    """One image's counts at each step, and the calibration counts of the ensemble."""

    image_id: int
    steps: dict[str, Counts]
    calibration: NDArray[np.float64]


def masks(answers: Answers, image_id: int) -> tuple[dict[str, NDArray[np.uint8]], NDArray[np.float32]]:
    """(mask_HW of each step, the ensemble's probabilities_CHW) of one image, steps in the pipeline's order."""
    by_model: dict[str, list[NDArray[np.float32]]] = {}
    found: dict[str, NDArray[np.uint8]] = {}
    members = answers.members_of[image_id]
    alone = {model for model, count in Counter(model for model, _ in members).items() if count == 1}
    for member in members:
        probabilities_CHW, single_HW = ProbabilityStore(answers.predict(member), answers.names).read_both(image_id)
        if single_HW is not None:
            found[member_step(*member) + WITHOUT_TTA] = single_HW
            if member[0] in alone:
                found[member[0] + WITHOUT_TTA] = single_HW
        found[member_step(*member)] = argmax(probabilities_CHW)
        by_model.setdefault(member[0], []).append(probabilities_CHW)
    for model, stack in by_model.items():
        found[model + FOLDS] = argmax(stack[0] if len(stack) == 1 else np.mean(stack, axis=0))
    ensemble_CHW = ProbabilityStore(answers.ensemble, answers.names).read(image_id)
    found[ENSEMBLE] = argmax(ensemble_CHW)
    found[FINAL] = read_mask(answers.refined / f"{image_id}.png")
    return found, ensemble_CHW


def score_images(
    answers: Answers, truths: Mapping[int, Callable[[], NDArray[np.uint8]]], description: str, workers: int = 0
) -> list[ImageScores]:
    """Score every image of `truths` (image id -> a function that gives its truth_HW), ids ascending."""

    def score(image_id: int) -> ImageScores:
        truth_HW = truths[image_id]()
        found, ensemble_CHW = masks(answers, image_id)
        for step, mask_HW in found.items():
            if mask_HW.shape != truth_HW.shape:
                sizes = " and ".join("x".join(map(str, shape)) for shape in (mask_HW.shape, truth_HW.shape))
                raise InputError(f"image {image_id}: {step} and label are {sizes} pixels, expected the same")
        classes = len(answers.names)
        known: dict[bytes, Counts] = {}
        steps = {}
        for step, mask_HW in found.items():  # steps often agree: a mask is counted once
            key = mask_HW.tobytes()
            if key not in known:
                known[key] = count(truth_HW, mask_HW, classes)
            steps[step] = known[key]
        return ImageScores(image_id, steps, calibration_counts(truth_HW, ensemble_CHW))

    return list(each(score, sorted(truths), description, workers))
