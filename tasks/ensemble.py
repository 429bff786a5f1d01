"""Stage ensemble: all members of a round as one answer, out of fold and on the test images.

A labelled image is answered by the members of its own fold alone, weighted by
what the other folds' images say; a test image by all folds of all networks.
The teacher round's networks may be members, too, named `ROUND/MODEL`.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import read_section, read_value
from trashseg.data.folds import Folds, read_folds
from trashseg.errors import InputError, run_command
from trashseg.inference.config import EnsembleConfig
from trashseg.inference.ensemble import class_pixels, combine, priority_order
from trashseg.inference.out_of_fold import read_sample
from trashseg.inference.photos import photo_paths
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.weights import (
    CrossFittedWeights,
    PixelSample,
    cross_fit_weights,
    cross_fitted_score,
    score,
)
from trashseg.inference.workers import each
from trashseg.io import read_mask, write_json

NO_TEACHER = "none"


@dataclass(frozen=True)
class Members:
    """The stores of a round's networks: `val` and `test` map a fold to one store per network."""

    models: Sequence[str]
    val: Mapping[int, list[ProbabilityStore]]
    test: Mapping[int, list[ProbabilityStore]]

    def all_test(self) -> list[ProbabilityStore]:
        """Every test store, network after network, folds ascending."""
        return [self.test[fold][index] for index in range(len(self.models)) for fold in sorted(self.test)]


def members_of(
    round_id: str, models: Sequence[str], folds: Sequence[int], names: Sequence[str], teacher: str | None = None
) -> Members:
    """The stores of a round's predictions, and of its teacher's where one is named."""
    found = {model: paths.predict(round_id, model) for model in models}
    if teacher is not None:
        found |= {f"{teacher}/{model}": paths.predict(teacher, model) for model in models}

    def stores(part: str) -> dict[int, list[ProbabilityStore]]:
        return {
            fold: [ProbabilityStore(folder / str(fold) / part, names) for folder in found.values()] for fold in folds
        }

    return Members(list(found), stores("val"), stores("test"))


def fold_of_each(split: Folds, folds: Sequence[int]) -> dict[int, int]:
    """Labelled image id -> its fold; every fold must have members."""
    for image_id, fold in split.assignment.items():
        if fold not in folds:
            raise InputError(f"params.yaml: folds are {list(folds)}, but image {image_id} is held out in fold {fold}")
    return dict(split.assignment)


def scores(sample: PixelSample, models: Sequence[str], weights: CrossFittedWeights) -> dict[str, Any]:
    """mIoU on the sampled pixels of each member, of equal weights, and cross-fitted."""
    members = len(models)
    return {
        "members": {model: score(sample, np.eye(members)[index]) for index, model in enumerate(models)},
        "equal": score(sample, np.full(members, 1 / members)),
        "cross_fitted": cross_fitted_score(sample, weights),
    }


def write_stores(
    members: Members, assignment: Mapping[int, int], test_ids: Sequence[int], weights: CrossFittedWeights,
    priority: Sequence[int], config: EnsembleConfig, names: Sequence[str], out: Path,
) -> None:  # fmt: skip
    """The stores `oof` and `test`."""
    oof, test = ProbabilityStore(out / "oof", names), ProbabilityStore(out / "test", names)
    folds = len(members.test)
    test_weights = np.repeat(weights.overall, folds, 0)

    def write_labelled(image_id: int) -> None:
        fold = assignment[image_id]
        answer = combine(config.method, members.val[fold], image_id, weights.by_fold[fold], priority)
        oof.write(image_id, answer)

    def write_test(image_id: int) -> None:
        test.write(image_id, combine(config.method, members.all_test(), image_id, test_weights, priority))

    for store, write, ids in ((oof, write_labelled, sorted(assignment)), (test, write_test, list(test_ids))):
        store.folder.mkdir(parents=True, exist_ok=True)
        for _ in each(write, ids, f"ensemble: {store.folder.name}", config.workers):
            pass


def label_pixels(image_ids: Sequence[int], classes: int) -> NDArray[np.int64]:
    """Pixels of each class in the labels, (C,)."""
    total = np.zeros(classes, np.int64)
    for image_id in image_ids:
        total += class_pixels([read_mask(paths.MASKS / paths.mask_name(image_id))], classes)
    return total


def run(round_id: str, folds: list[int], models: list[str], config: EnsembleConfig, teacher: str = NO_TEACHER) -> None:
    """Write `artifacts/ensemble/{round}`: stores `oof` and `test`, and `weights.json`."""
    classes = read_classes(paths.DATASET / "classes.json")
    test_ids = list(photo_paths(paths.DATASET / "test.json", paths.DATASET / "images"))
    assignment = fold_of_each(read_folds(paths.FOLDS / "folds.json"), folds)
    joined = teacher if config.with_teacher and teacher != NO_TEACHER else None
    members = members_of(round_id, models, folds, classes.names, joined)
    sample = read_sample(members.val, assignment, paths.MASKS, config.fit_pixels, config.workers)
    weights = cross_fit_weights(sample, folds, config.weights)
    priority = priority_order(classes, label_pixels(sorted(assignment), len(classes)), config.priority)
    out = paths.ensemble(round_id)
    building = out.with_name(f".{out.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    write_stores(members, assignment, test_ids, weights, priority, config, classes.names, building)
    write_json(building / "weights.json", summary(round_id, members.models, classes.names, config, weights, sample))
    shutil.rmtree(out, ignore_errors=True)
    building.rename(out)


def summary(
    round_id: str, models: Sequence[str], names: Sequence[str], config: EnsembleConfig,
    weights: CrossFittedWeights, sample: PixelSample,
) -> dict[str, Any]:  # fmt: skip
    """What weights.json holds: {model: weight, or one for each class}."""

    def named(value: NDArray[np.float64]) -> dict[str, Any]:
        return {model: np.round(row, 6).tolist() for model, row in zip(models, value, strict=True)}

    return {
        "round": round_id,
        "method": config.method,
        "kind": config.weights,
        "classes": list(names),
        "weights": named(weights.overall),
        "by_fold": {str(fold): named(value) for fold, value in weights.by_fold.items()},
        "miou": scores(sample, models, weights),
        "sampled_pixels": len(sample.truth_S),
    }


def main() -> None:
    """Command line: python -m tasks.ensemble --round r1 --teacher r0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", required=True, help="id of the round, e.g. r0")
    parser.add_argument("--teacher", default=NO_TEACHER, help="id of the round that taught it, or none")
    arguments = parser.parse_args()
    config = read_section("ensemble", EnsembleConfig)
    run(arguments.round, read_value("folds", list), read_value("models", list), config, arguments.teacher)


if __name__ == "__main__":
    run_command(main)
