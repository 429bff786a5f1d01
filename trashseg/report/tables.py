"""The report's tables and curves as plain rows for the template."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from trashseg import paths
from trashseg.io import read_json
from trashseg.report.charts import Series, lines
from trashseg.report.material import Material

CURVES = (
    ("train_loss", "Loss while learning (lower is better)", False),
    ("val_miou", "mIoU on held-back photos (higher is better)", True),
    ("lr", "Learning rate", True),
)


def class_shares(confusion_CC: NDArray[np.int64], names: Sequence[str]) -> dict[str, float]:
    """Each class's share of the labelled pixels."""
    totals = confusion_CC.sum(1)
    return {name: float(total) / max(1, int(totals.sum())) for name, total in zip(names, totals, strict=True)}


def images_per_class(material: Material) -> dict[str, int]:
    """In how many labelled photos each class is annotated; Background counts every photo."""
    pairs = {(row["image_id"], row["category_id"]) for row in material.annotations}
    counts = Counter(category for _, category in pairs)
    names = material.classes.names
    return {name: counts[i] if i else len(material.labelled) for i, name in enumerate(names)}


def class_rows(material: Material, shares: Mapping[str, float]) -> list[dict[str, Any]]:
    """One row per class: IoU out of fold and on the test photos, photos, share of pixels."""
    chosen, images = material.chosen, images_per_class(material)
    return [
        {
            "name": name,
            "oof": chosen.oof.per_class.get(name),
            "test": chosen.test.per_class.get(name) if chosen.test else None,
            "images": images[name],
            "share": f"{100 * shares[name]:.1f} %" if shares[name] >= 0.0005 or not shares[name] else "< 0.1 %",
        }
        for name in material.classes.names
    ]


def matrix_rows(confusion_CC: NDArray[np.int64], names: Sequence[str]) -> list[dict[str, Any]]:
    """The confusion matrix in percent of each row; classes without a pixel have empty cells."""
    rows = []
    for true, counts in enumerate(confusion_CC):
        total = int(counts.sum())
        cells = []
        for taken, count in enumerate(counts):
            share = 100 * int(count) / total if total else 0.0
            text = f"{share:.0f}" if share >= 0.5 else ""
            title = f"{names[true]} painted as {names[taken]}: {share:.1f} % ({int(count)} pixels)"
            kind = "good" if true == taken else "wrong"
            cells.append({"text": text, "percent": f"{share:.0f}", "title": title, "kind": kind})
        rows.append({"name": names[true], "cells": cells})
    return rows


def _history(path: Path) -> tuple[list[float], dict[str, list[float]]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    def number(text: str | None) -> float:
        try:
            return float(text or "nan")
        except ValueError:
            return math.nan

    names = rows[0].keys() if rows else ()
    return [number(row.get("epoch")) for row in rows], {name: [number(row[name]) for row in rows] for name in names}


def _measured(name: str, xs: Sequence[float], ys: Sequence[float]) -> Series:
    """The epochs in which something was measured (validation may be every second one)."""
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    return Series(name, [x for x, _ in points], [y for _, y in points])


def _curve_block(round_id: str, model: str, folds: Sequence[int]) -> dict[str, Any]:
    note = ""
    histories = {}
    for fold in folds:
        folder = paths.train(round_id, model, fold)
        training = read_json(folder / "model.json").get("training") or {}
        if training.get("passed_on_from"):
            note = f"Fold {fold} passed the weights of round {training['passed_on_from']} on without training: "
            note += f"{training.get('reason', 'its pseudo labels were declined')}."
        if (folder / "history.csv").is_file():
            histories[fold] = _history(folder / "history.csv")
    charts = []
    for column, title, zero in CURVES:
        series = [_measured(f"fold {f}", xs, table[column]) for f, (xs, table) in histories.items() if column in table]
        svg = lines(series, title, "epoch", zero)
        if svg:
            charts.append({"title": title, "svg": svg})
    title = f"Round {round_id}, network {model}"
    return {"title": title, "charts": charts, "names": [f"fold {fold}" for fold in histories], "note": note}


def curve_blocks(material: Material) -> list[dict[str, Any]]:
    """Training curves per round and network, a line per fold."""
    folds = range(material.folds.k)
    return [_curve_block(round_id, model, folds) for round_id in material.rounds for model in material.models]


def calibration_chart(path: Path) -> Markup:
    """How often the ensemble is right against how sure it is, in percent, beside the line of perfect calibration."""
    if not path.is_file():
        return Markup("")
    with path.open(newline="") as file:
        rows = [(100 * float(row["confidence"]), 100 * float(row["accuracy"])) for row in csv.DictReader(file)]
    if not rows:
        return Markup("")
    sure = [x for x, _ in rows]
    found = Series("what came out", sure, [y for _, y in rows])
    return lines([found, Series("just as sure as right", sure, sure)], "Calibration", "how sure, %", True)


def fold_notes(path: Path = paths.FOLDS / "balance.json") -> list[str]:
    """What `folds` says of classes that cannot be in every fold."""
    return [str(note) for note in read_json(path).get("notes", [])]


def fold_rows(material: Material) -> list[dict[str, Any]]:
    """How many photos of each fold show each class; shading compares a fold with an even share."""
    assignment, names = material.folds.assignment, material.classes.names
    pairs = {(row["image_id"], row["category_id"]) for row in material.annotations if row["image_id"] in assignment}
    counts = Counter((category, assignment[image]) for image, category in pairs)
    counts.update((0, fold) for fold in assignment.values())
    rows = []
    for index, name in enumerate(("photos in all", *names[1:])):
        row = [counts[index, fold] for fold in range(material.folds.k)]
        total = sum(row)
        cells = [{"count": n, "percent": round(100 * n / total) if total else 0} for n in row]
        rows.append({"name": name, "cells": cells, "total": total})
    return rows
