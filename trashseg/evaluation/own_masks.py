"""A folder of predicted masks scored against a folder of true ones, without the pipeline."""

from pathlib import Path
from typing import Any

from trashseg.classes import Classes
from trashseg.errors import InputError
from trashseg.evaluation.scores import Counts, count, stack, summary
from trashseg.io import read_mask
from trashseg.parallel import parallel_map


def pairs(predicted: Path, truth: Path) -> list[tuple[Path, Path]]:
    """(predicted, true) files of the same name below both folders; every true mask must have its prediction."""
    for folder in (predicted, truth):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder, expected one of PNG masks")
    files = sorted(path.relative_to(truth) for path in truth.rglob("*.png"))
    if not files:
        raise InputError(f"{truth}: no mask found, expected files *.png")
    for file in files:
        if not (predicted / file).is_file():
            raise InputError(f"{predicted / file}: no such mask, expected one for each of {truth}")
    return [(predicted / file, truth / file) for file in files]


def score(item: tuple[Path, Path, int]) -> Counts:
    """The counts of one (predicted file, true file, classes)."""
    predicted, truth, classes = item
    guess_HW, truth_HW = read_mask(predicted), read_mask(truth)
    if guess_HW.shape != truth_HW.shape:
        sizes = " and ".join("x".join(map(str, shape)) for shape in (guess_HW.shape, truth_HW.shape))
        raise InputError(f"{predicted}: mask and truth are {sizes} pixels, expected the same")
    try:
        return count(truth_HW, guess_HW, classes)
    except ValueError as error:
        raise InputError(f"{predicted}: {error}") from None


def evaluate_masks(predicted: Path, truth: Path, classes: Classes, jobs: int = 0) -> dict[str, Any]:
    """The scores of all pairs: an entry of `steps` as `evaluate` writes it, without groups."""
    items = [(guess, true, len(classes)) for guess, true in pairs(predicted, truth)]
    counts = stack(parallel_map(score, items, jobs, "scoring"))
    return summary(predicted.name, counts, classes.names, [str(i) for i in range(len(items))], [0])
