"""The scores of each round and step, read from the `evaluate` artefacts."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.errors import InputError
from trashseg.evaluation.step_names import WITHOUT_TTA
from trashseg.io import read_json


@dataclass(frozen=True)
class Score:
    """mIoU in [0, 1] on the full and the 256 grid, its interval, IoU by class name (None: absent), edges and sizes."""

    miou: float
    miou_256: float | None
    low: float | None
    high: float | None
    per_class: Mapping[str, float | None]
    boundary: float | None = None
    per_class_boundary: Mapping[str, float | None] = field(default_factory=dict)
    by_size: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def step_label(name: str) -> str:
    """A step in plain words."""
    bare = name.removesuffix(WITHOUT_TTA)
    looks = ", one look" if bare != name else ""
    kind, _, rest = bare.partition(" ")
    if kind == "member":
        model, _, fold = rest.rpartition("/")
        return f"{model}, fold {fold} alone{looks}"
    if looks or bare.endswith(" folds"):
        return f"{bare.removesuffix(' folds')}, all folds{looks}"
    return {"ensemble": "ensemble: all together", "crf": "ensemble + CRF (sharper edges)"}.get(kind, name)


@dataclass(frozen=True)
class Step:
    """One step of one round; `test` is None where the test labels are unknown."""

    round_id: str
    name: str
    oof: Score
    test: Score | None

    @property
    def label(self) -> str:
        """The step in plain words."""
        return step_label(self.name)

    @property
    def kind(self) -> str:
        """`member`, `folds`, `ensemble` or `crf`; `member single` or `folds single` where one look is all."""
        name = self.name.removesuffix(WITHOUT_TTA)
        looks = " single" if name != self.name else ""
        kind = name.split(" ")[0]
        if kind == "member":
            return kind + looks
        return "folds" + looks if looks or name.endswith(" folds") else kind


def parse_score(entry: Mapping[str, Any]) -> Score:
    """One entry of `steps` in metrics.json."""
    low, high = entry.get("interval") or (None, None)
    return Score(
        entry["miou"],
        entry.get("miou_256"),
        low,
        high,
        entry.get("per_class") or {},
        entry.get("boundary_iou"),
        entry.get("per_class_boundary") or {},
        entry.get("by_size") or {},
    )


def _read(path: Path) -> dict[str, Score]:
    content = read_json(path)
    try:
        entries = content["steps"] if content.get("known", True) else []
        return {entry["step"]: parse_score(entry) for entry in entries}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: expected the metrics that `evaluate` writes, found {error!r}") from None


def read_steps(rounds: Sequence[str]) -> list[Step]:
    """Every step of every round, in the pipeline's order."""
    steps = []
    for round_id in rounds:
        folder = paths.evaluate(round_id)
        oof, test = _read(folder / "oof" / "metrics.json"), _read(folder / "test" / "metrics.json")
        steps += [Step(round_id, name, score, test.get(name)) for name, score in oof.items()]
    return steps


def read_confusion(path: Path) -> NDArray[np.int64]:
    """Pixel counts (C, C), rows the truth, of a confusion.csv with a header and class names in its first column."""
    try:
        with path.open(newline="") as file:
            counts = np.array([row[1:] for row in list(csv.reader(file))[1:]], np.int64)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValueError as error:
        raise InputError(f"{path}: expected a table of pixel counts, found {error}") from None
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise InputError(f"{path}: expected a square table of pixel counts, found shape {counts.shape}")
    return counts
