"""Small tables and pictures beside metrics.json, in the shape `dvc plots` draws without a template."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.io import write_text


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A CSV with a header, `\\n` line ends, written atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_confusion(path: Path, confusion: NDArray[np.int64], names: Sequence[str]) -> None:
    """Pixel counts, rows the truth, columns the prediction, both by class name."""
    write_csv(path, ["truth", *names], [[name, *row] for name, row in zip(names, confusion.tolist(), strict=True)])


def write_per_class(path: Path, steps: Sequence[Mapping[str, object]]) -> None:
    """IoU of each class at each step; absent classes are left out."""
    rows = []
    for step in steps:
        ious = step["per_class"]
        assert isinstance(ious, Mapping)
        rows += [[step["step"], name, iou] for name, iou in ious.items() if iou is not None]
    write_csv(path, ["step", "class", "iou"], rows)


def write_steps(path: Path, steps: Sequence[Mapping[str, object]]) -> None:
    """mIoU of each step with its interval."""
    rows = []
    for step in steps:
        interval = step["interval"]
        assert isinstance(interval, Sequence)
        rows.append([step["step"], step["images"], step["miou"], interval[0], interval[1], step["miou_256"]])
    write_csv(path, ["step", "images", "miou", "low", "high", "miou_256"], rows)


def write_calibration(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Accuracy by predicted probability."""
    header = ["confidence", "accuracy", "share"]
    write_csv(path, header, [[row[key] for key in header] for row in rows])


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV with a header."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_choice_tables(folder: Path, parts: Mapping[str, Path], chosen: str, step: str) -> None:
    """What `dvc plots` draws: the steps of every round, and classes and calibration of the chosen one.

    `parts` maps round ids to their out-of-fold `evaluate` folders.
    """
    rows = [
        [f"{round_id} {row['step']}", row["miou"], row["low"], row["high"], row["miou_256"]]
        for round_id, part in parts.items()
        for row in read_csv(part / "steps.csv")
    ]
    write_csv(folder / "steps.csv", ["step", "miou", "low", "high", "miou_256"], rows)
    classes = [row for row in read_csv(parts[chosen] / "per_class.csv") if row["step"] == step]
    write_csv(folder / "per_class.csv", ["class", "iou"], [[row["class"], row["iou"]] for row in classes])
    write_text(folder / "calibration.csv", (parts[chosen] / "calibration.csv").read_text())
