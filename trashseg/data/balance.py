"""How evenly a split spreads each class: a table of shares, beside plain and single-label k-fold, and a plot.

The share of a class in a fold is its pixels (or the images that show it) there
over those of all folds; 1/k is even. What no split could avoid does not count
against one: a group that holds most of a class puts its fold off by that
much, and a class in fewer groups than folds is missing somewhere.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.data.folds import Folds
from trashseg.data.split import assign_folds
from trashseg.data.split_table import SplitTable

COMPARED = ("stratified", "kfold")


def balance_report(folds: Folds, table: SplitTable, names: tuple[str, ...], method: str, seed: int) -> dict[str, Any]:
    """The content of balance.json: the split made by `method`, others beside it, and notes a reader should know."""
    splits = {method: folds} | {
        other: assign_folds(table, folds.k, other, seed) for other in COMPARED if other != method
    }
    return {
        "k": folds.k,
        "method": method,
        "images": len(table.image_ids),
        "groups": table.group_count,
        "classes": list(names),
        "methods": {name: shares(split, table, names) for name, split in splits.items()},
        "notes": notes(table, folds.k, names),
    }


def fold_sums(folds: Folds, table: SplitTable, values_NF: NDArray[Any]) -> NDArray[np.float64]:
    """Rows of the table summed over the validation images of each fold, (K, F)."""
    folds_N = np.array([folds.assignment[image] for image in table.image_ids])
    return np.stack([values_NF[folds_N == fold].sum(axis=0, dtype=np.float64) for fold in range(folds.k)])


def groups_per_class(table: SplitTable) -> NDArray[np.int64]:
    """Groups that show each class, (C,)."""
    groups_C: NDArray[np.int64] = (table.per_group(table.present_NC) > 0).sum(axis=0)
    return groups_C


def unavoidable(table: SplitTable, k: int) -> NDArray[np.float64]:
    """How far from 1/k some fold's share of each class's pixels is in any split, at least, (C,)."""
    pixels_GC = table.per_group(table.pixels_NC)
    totals_C = np.maximum(pixels_GC.sum(axis=0), 1)
    missing_C = np.where(groups_per_class(table) < k, 1 / k, 0.0)
    return np.asarray(np.maximum(pixels_GC.max(axis=0) / totals_C - 1 / k, missing_C))


def shares(folds: Folds, table: SplitTable, names: tuple[str, ...]) -> dict[str, Any]:
    """Images and class shares of each fold, and the class and fold furthest from an equal share of the pixels.

    That deviation is beyond the unavoidable.
    """
    pixels_KC = fold_sums(folds, table, table.pixels_NC)
    present_KC = fold_sums(folds, table, table.present_NC)
    totals_C = pixels_KC.sum(axis=0)
    share_KC = np.divide(pixels_KC, totals_C, out=np.zeros_like(pixels_KC), where=totals_C > 0)
    beyond_KC = np.maximum(np.abs(share_KC - 1 / folds.k) - unavoidable(table, folds.k), 0.0)
    deviation_KC = np.where(totals_C > 0, beyond_KC, 0.0)
    fold, index = np.unravel_index(int(deviation_KC.argmax()), deviation_KC.shape)
    return {
        "images": [len(folds.validation_ids(fold)) for fold in range(folds.k)],
        "pixel_share": {
            name: [round(float(share), 6) for share in share_KC[:, at]] if totals_C[at] else None
            for at, name in enumerate(names)
        },
        "images_with_class": {name: present_KC[:, at].astype(int).tolist() for at, name in enumerate(names)},
        "worst": {
            "class": names[index],
            "fold": int(fold),
            "deviation": round(float(deviation_KC[fold, index]), 6),
        },
    }


def notes(table: SplitTable, k: int, names: tuple[str, ...]) -> list[str]:
    """Sentences on classes that arithmetic does not let into every fold."""
    images_C = table.present_NC.sum(axis=0)
    groups_C = groups_per_class(table)
    found = []
    for name, images, groups in zip(names, images_C.tolist(), groups_C.tolist(), strict=True):
        if images == 0:
            found.append(f"class {name!r} has no pixels: no fold can be scored on it")
        elif groups < k:
            found.append(
                f"class {name!r} is in {images} images of {groups} groups, fewer than the {k} folds: "
                f"{k - groups} folds are validated without it"
            )
    return found


def table_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for a terminal: per class its pixel shares in percent, then the worst deviation of each method."""
    method = report["methods"][report["method"]]
    width = max(len(name) for name in report["classes"])
    lines = [f"{'pixels, % of the class':>{width}}  " + " ".join(f"{f'fold {k}':>7}" for k in range(report["k"]))]
    width = max(width, len("pixels, % of the class"))
    for name, row in method["pixel_share"].items():
        cells = " ".join(f"{100 * share:7.2f}" for share in row) if row is not None else "absent"
        lines.append(f"{name:>{width}}  {cells}")
    lines.append(f"{'images':>{width}}  " + " ".join(f"{count:7d}" for count in method["images"]))
    for name, other in report["methods"].items():
        worst = other["worst"]
        lines.append(
            f"{name}: furthest from an equal share: {worst['class']}, {100 * worst['deviation']:.2f} points off"
        )
    return lines
