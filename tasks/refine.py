"""Stage refine: the ensemble's answers with sharper edges, where that surely helps.

Candidates are searched on out-of-fold images, the gain is scored cross-fitted
with a bootstrap interval, and unless all of it is above zero the masks stay
the ensemble's own. No labels of test images are read.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import Classes, read_classes
from trashseg.config import read_section, read_value
from trashseg.data.folds import read_folds
from trashseg.errors import InputError, run_command
from trashseg.evaluation.confusion import confusion_matrix
from trashseg.evaluation.intervals import Comparison, compare
from trashseg.inference.crf_config import RefineConfig
from trashseg.inference.crf_engines import engine
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.refine import OFF, CrossFit, cross_fit, crossed, search_ids, verdict
from trashseg.inference.refiner import Candidate, Refiner
from trashseg.inference.workers import each
from trashseg.io import read_json, read_mask, write_json, write_mask


@dataclass(frozen=True)
class Labelled:
    """Out-of-fold images: their folds and groups, in the order of `ids`."""

    ids: list[int]
    folds: dict[int, int]
    groups: dict[int, str]


def photo_paths(images: list[dict[str, object]]) -> dict[int, Path]:
    """Image id -> its file in the dataset."""
    return {int(str(image["id"])): paths.DATASET / "images" / str(image["file_name"]) for image in images}


def labelled(images: list[dict[str, object]]) -> Labelled:
    """The labelled images of COCO rows, with the folds of folds.json."""
    assignment = read_folds(paths.FOLDS / "folds.json").assignment
    groups = {int(str(image["id"])): str(image.get("group") or image["id"]) for image in images}
    return Labelled(sorted(assignment), dict(assignment), groups)


def search(
    refiner: Refiner, candidates: Sequence[Candidate], ids: Sequence[int], classes: int, workers: int
) -> NDArray[np.int64]:
    """Confusions (K, N, C, C) of every candidate on every image."""

    def confusions(image_id: int) -> NDArray[np.int64]:
        truth_HW = read_mask(paths.MASKS / paths.mask_name(image_id))
        return np.stack([confusion_matrix(truth_HW, m, classes) for m in refiner.masks(image_id, candidates)])

    return np.stack(list(each(confusions, ids, "refine: search", workers)), axis=1)


def write_masks(
    refiner: Refiner, candidate_of: dict[int, Candidate], folder: Path, classes: Classes, workers: int
) -> None:
    """The mask of each image under its candidate, as palette PNGs."""
    palette = classes.palette()

    def write(image_id: int) -> None:
        mask_HW = refiner.masks(image_id, [candidate_of[image_id]])[0]
        write_mask(folder / paths.mask_name(image_id), mask_HW, palette)

    folder.mkdir(parents=True, exist_ok=True)
    for _ in each(write, sorted(candidate_of), f"refine: {folder.name}", workers):
        pass


def gain_on(
    confusions_KNCC: NDArray[np.int64], ids: Sequence[int], data: Labelled, choice: CrossFit, config: RefineConfig
) -> Comparison:
    """The cross-fitted gain over the ensemble alone."""
    after = crossed(confusions_KNCC, [data.folds[i] for i in ids], choice)
    groups = [data.groups[i] for i in ids]
    rng = np.random.default_rng([0, len(ids)])
    return compare(confusions_KNCC[OFF], after, rng, groups, config.bootstrap_samples, config.confidence)


def rest_confusions(
    refiner: Refiner,
    candidates: Sequence[Candidate],
    ids: Sequence[int],
    data: Labelled,
    choice: CrossFit,
    classes: int,
) -> NDArray[np.int64]:
    """Confusions (K, N, C, C) of images not searched: only `OFF` and each fold's choice are computed."""

    def confusions(image_id: int) -> NDArray[np.int64]:
        truth_HW = read_mask(paths.MASKS / paths.mask_name(image_id))
        chosen = choice.by_fold.get(data.folds[image_id], OFF)
        result = np.zeros((len(candidates), classes, classes), np.int64)
        masks = refiner.masks(image_id, [None, candidates[chosen]])
        for index, mask_HW in zip((OFF, chosen), masks, strict=True):
            result[index] = confusion_matrix(truth_HW, mask_HW, classes)
        return result

    return np.stack(list(each(confusions, ids, "refine: score")), axis=1)


def decide(
    refiner: Refiner, candidates: Sequence[Candidate], data: Labelled, classes: int, config: RefineConfig
) -> tuple[CrossFit, Comparison]:
    """Search on some out-of-fold images; score on all of them where the search is promising."""
    by_fold: dict[int, list[int]] = {}
    for image_id in data.ids:
        by_fold.setdefault(data.folds[image_id], []).append(image_id)
    ids = search_ids(by_fold, config.search_images)
    confusions = search(refiner, candidates, ids, classes, config.workers)
    always = config.apply == "always"
    choice = cross_fit(confusions, [data.folds[i] for i in ids], OFF + 1 if always else OFF)
    comparison = gain_on(confusions, ids, data, choice, config)
    rest = sorted(set(data.ids) - set(ids))
    hopeless = comparison.gain.high <= 0 or choice.overall == OFF
    if not rest or (hopeless and not always):
        return choice, comparison
    confusions = np.concatenate([confusions, rest_confusions(refiner, candidates, rest, data, choice, classes)], axis=1)
    return choice, gain_on(confusions, [*ids, *rest], data, choice, config)


def member_stores(
    round_id: str, models: list[str], folds: dict[int, int], part: str
) -> dict[int, list[ProbabilityStore]]:
    """Image id -> the stores that hold its members' predictions of `part` (val), by the image's fold."""
    by_fold = {
        fold: [ProbabilityStore(paths.predict(round_id, model) / str(fold) / part) for model in models]
        for fold in set(folds.values())
    }
    return {image_id: by_fold[fold] for image_id, fold in folds.items()}


def run(round_id: str, folds: list[int], models: list[str], config: RefineConfig) -> None:
    """Write `artifacts/refine/{round}`: oof/, test/ and refine.json; all of it or nothing."""
    classes = read_classes(paths.DATASET / "classes.json")
    train_images = read_json(paths.DATASET / "train_all.json")["images"]
    test_images = read_json(paths.DATASET / "test.json")["images"]
    data = labelled(train_images)
    if missing := sorted(set(data.folds.values()) - set(folds)):
        raise InputError(f"params.yaml: folds are {folds}, but folds.json also has fold {missing[0]}")
    source, out = paths.ensemble(round_id), paths.refine(round_id)
    building = out.with_name(f".{out.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    work_px = sum(float(row["width"] * row["height"]) for row in train_images) * (len(config.candidates()) + 1)
    solve = engine(config.engine, work_px)
    oof = Refiner(
        photo_paths(train_images),
        ProbabilityStore(source / "oof"),
        member_stores(round_id, models, data.folds, "val"),
        solve,
        config.keep_area_px,
    )
    candidates: list[Candidate] = [None, *config.candidates()]
    choice, comparison = decide(oof, candidates, data, len(classes), config)
    on, reason = verdict(comparison, choice.overall, config.apply == "always")
    print(f"refine {round_id}: {reason}")
    write_masks(
        oof,
        {i: candidates[choice.by_fold[data.folds[i]]] if on else None for i in data.ids},
        building / "oof",
        classes,
        config.workers,
    )
    all_members = [
        ProbabilityStore(paths.predict(round_id, model) / str(fold) / "test") for model in models for fold in folds
    ]
    photos = photo_paths(test_images)
    test = Refiner(
        photos, ProbabilityStore(source / "test"), dict.fromkeys(photos, all_members), solve, config.keep_area_px
    )
    write_masks(
        test,
        dict.fromkeys(photos, candidates[choice.overall] if on else None),
        building / "test",
        classes,
        config.workers,
    )
    write_json(building / "refine.json", summary(on, reason, choice, candidates, comparison))
    shutil.rmtree(out, ignore_errors=True)
    building.rename(out)


def summary(
    on: bool, reason: str, choice: CrossFit, candidates: Sequence[Candidate], comparison: Comparison
) -> dict[str, object]:
    """What refine.json holds."""

    def named(index: int) -> dict[str, float] | None:
        candidate = candidates[index]
        return None if candidate is None else asdict(candidate)

    return {
        "on": on,
        "reason": reason,
        "parameters": named(choice.overall),
        "parameters_by_fold": {str(fold): named(index) for fold, index in sorted(choice.by_fold.items())},
        "gain": comparison.gain.value,
        "interval": comparison.gain.as_list(),
        "p_value": comparison.p_value,
        "candidates": len(candidates),
    }


def main() -> None:
    """Command line: python -m tasks.refine --round r0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", required=True, help="id of the round, e.g. r0")
    arguments = parser.parse_args()
    run(arguments.round, read_value("folds", list), read_value("models", list), read_section("refine", RefineConfig))


if __name__ == "__main__":
    run_command(main)
