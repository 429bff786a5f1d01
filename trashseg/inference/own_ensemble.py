"""Members given as folders of probabilities, combined without the pipeline."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trashseg.classes import Classes, read_classes, write_classes
from trashseg.errors import InputError
from trashseg.inference.ensemble import combine, priority_order
from trashseg.inference.own_names import check_stores, read_names
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.workers import each
from trashseg.io import write_json, write_mask


def checked_weights(weights: Sequence[float] | None, members: int) -> np.ndarray:
    """(M,) weights; `InputError` for another number of them, for negative ones, NaN, and none above 0."""
    if weights is None:
        return np.full(members, 1 / members)
    if len(weights) != members:
        raise InputError(f"--weights: {len(weights)} given for {members} members")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise InputError(f"--weights: found {', '.join(map(str, weights))}, expected numbers from 0 on, one above 0")
    return np.asarray(weights, np.float64) / sum(weights)


def same_photos(members: Sequence[Path]) -> tuple[dict[int, str], Classes]:
    """Number -> name of the photos all members have, and their classes."""
    if not members:
        raise InputError("no member given, expected folders that `trashseg predict --probabilities` wrote")
    names = [read_names(member) for member in members]
    classes = [read_classes(member / "classes.json") for member in members]
    for member, found, known in zip(members, names, classes, strict=True):
        if found != names[0]:
            raise InputError(f"{member / 'names.json'}: other photos than those of {members[0]}")
        if known.names != classes[0].names:
            expected = ", ".join(classes[0].names)
            raise InputError(f"{member / 'classes.json'}: classes {', '.join(known.names)}, expected {expected}")
    return names[0], classes[0]


def combine_members(
    members: Sequence[Path], out: Path, weights: Sequence[float] | None, method: str, priority: Sequence[str]
) -> int:
    """Write `masks/` and `probabilities/` under `out`; how many photos."""
    names, classes = same_photos(members)
    shares = checked_weights(weights, len(members))
    order = priority_order(classes, np.arange(len(classes)), priority)
    stores = [ProbabilityStore(member, classes.names) for member in members]
    check_stores(stores, sorted(names))
    target, palette = ProbabilityStore(out / "probabilities", classes.names), classes.palette()

    def write(number: int) -> None:
        answer_CHW = combine(method, stores, number, shares, order)
        target.write(number, answer_CHW)
        write_mask(out / "masks" / f"{names[number]}.png", answer_CHW.argmax(0).astype(np.uint8), palette)

    for _ in each(write, sorted(names), "combining"):
        pass
    write_json(target.folder / "names.json", names)
    write_classes(target.folder / "classes.json", classes)
    return len(names)
