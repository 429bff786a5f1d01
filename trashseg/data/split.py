"""Dealing groups of images to k folds: the methods by name, and the checks that come first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.data.folds import Folds
from trashseg.data.split_greedy import greedy_folds
from trashseg.data.split_table import SplitTable, rarest_class, three_labels
from trashseg.errors import InputError, nearest
from trashseg.io import read_json

Method = Callable[[SplitTable, int, int], NDArray[np.int64]]


def kfold_folds(table: SplitTable, k: int, seed: int) -> NDArray[np.int64]:
    """A fold for each group, at random, with equal numbers of groups."""
    folds_G = np.empty(table.group_count, np.int64)
    folds_G[np.random.default_rng(seed).permutation(table.group_count)] = np.arange(table.group_count) % k
    return folds_G


def stratified_folds(table: SplitTable, k: int, seed: int) -> NDArray[np.int64]:
    """A fold for each group, by one label: the rarest class in the group is spread evenly."""
    order_G = np.random.default_rng(seed).permutation(table.group_count)
    labels_G = rarest_class(table.per_group(table.annotations_NC).astype(np.int64))
    folds_G = np.empty(table.group_count, np.int64)
    folds_G[order_G[np.argsort(labels_G[order_G], kind="stable")]] = np.arange(table.group_count) % k
    return folds_G


def iterstrat_folds(table: SplitTable, k: int, seed: int) -> NDArray[np.int64]:
    """A fold for each group, by iterative stratification (Sechidis et al. 2011) over the three labels of its images."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    labels_GL = table.per_group(three_labels(table.annotations_NC)) > 0
    folds_G = np.empty(table.group_count, np.int64)
    splitter = MultilabelStratifiedKFold(n_splits=k, shuffle=True, random_state=seed)
    for fold, (_, held_out_G) in enumerate(splitter.split(labels_GL, labels_GL.astype(np.int64))):
        folds_G[held_out_G] = fold
    return folds_G


METHODS: dict[str, Method] = {
    "greedy": greedy_folds,
    "iterstrat": iterstrat_folds,
    "stratified": stratified_folds,
    "kfold": kfold_folds,
}


def assign_folds(table: SplitTable, k: int, method: str, seed: int) -> Folds:
    """Deal the table's images to k folds so that no group straddles two.

    `InputError` where k is below 2, or above the number of images or of groups.
    """
    if method not in METHODS:
        raise InputError(f"split.method {method!r} is unknown{nearest(method, METHODS)}")
    check_k(table, k)
    folds_G = METHODS[method](table, k, seed)
    folds_N = folds_G[table.groups_N]
    return Folds(k, {image: int(fold) for image, fold in zip(table.image_ids, folds_N, strict=True)})


def check_k(table: SplitTable, k: int) -> None:
    """Refuse a number of folds that leaves one empty."""
    images, groups = len(table.image_ids), table.group_count
    if k < 2:
        raise InputError(f"folds: found {k}, expected at least 2: images are trained on in one and held out in another")
    if k > images:
        raise InputError(
            f"folds: {k} folds of {images} labelled images would leave folds empty; expected k <= {images}"
        )
    if k > groups:
        raise InputError(
            f"folds: {k} folds of {groups} groups would leave folds empty: the {images} labelled images join into "
            f"{groups} groups that may not straddle a split; expected k <= {groups}, or another split.group_by"
        )


def given_folds(path: Path, table: SplitTable, k: int, file_names: dict[str, int]) -> Folds:
    """A user's own split: `folds.json`, {image id or file_name: fold}, or a folder of `kfold_{i}_val.json`.

    `file_names` maps each file name to its image id. `InputError` where an
    image is missing or unknown, a fold is outside 0..k-1 or empty, or a group
    straddles two folds.
    """
    rows = _validation_files(path, k) if path.is_dir() else _rows(path)
    ids = {str(image): image for image in table.image_ids} | file_names
    assignment: dict[int, int] = {}
    for name, fold in rows.items():
        if name not in ids:
            raise InputError(f"{path}: image {name!r} is not among the labelled images{nearest(name, ids)}")
        if not isinstance(fold, int) or isinstance(fold, bool) or not 0 <= fold < k:
            raise InputError(f"{path}: image {name!r} is in fold {fold!r}, expected one of 0..{k - 1}")
        assignment[ids[name]] = fold
    check_given(path, table, Folds(k, assignment))
    return Folds(k, {image: assignment[image] for image in table.image_ids})


def _rows(path: Path) -> dict[str, Any]:
    value = read_json(path)
    rows = value.get("assignment", value) if isinstance(value, dict) else None
    if not isinstance(rows, dict):
        raise InputError(f"{path}: expected {{image id or file_name: fold}}, found {type(value).__name__}")
    return rows


def _validation_files(folder: Path, k: int) -> dict[str, int]:
    """The fold of each file name by the COCO files of a split made elsewhere; their ids do not matter."""
    rows: dict[str, int] = {}
    for fold in range(k):
        path = folder / f"kfold_{fold}_val.json"
        value = read_json(path)
        try:
            names = [str(row["file_name"]) for row in value["images"]]
        except (TypeError, KeyError):
            raise InputError(f"{path}: expected a COCO file with images of {{file_name}}") from None
        for name in names:
            if rows.setdefault(name, fold) != fold:
                raise InputError(f"{path}: image {name!r} is held out in fold {rows[name]}, too; expected one fold")
    return rows


def check_given(path: Path, table: SplitTable, folds: Folds) -> None:
    """Refuse a split that misses an image, leaves a fold empty or tears a group apart."""
    missing = [image for image in table.image_ids if image not in folds.assignment]
    if missing:
        raise InputError(f"{path}: {len(missing)} labelled images have no fold, such as image {missing[0]}")
    empty = sorted(set(range(folds.k)) - set(folds.assignment.values()))
    if empty:
        raise InputError(f"{path}: fold {empty[0]} holds no image; expected images in each of {folds.k} folds")
    seen: dict[int, int] = {}
    for image, group in zip(table.image_ids, table.groups_N.tolist(), strict=True):
        first = seen.setdefault(group, image)
        if folds.assignment[first] != folds.assignment[image]:
            raise InputError(
                f"{path}: images {first} and {image} are of one group, but in folds "
                f"{folds.assignment[first]} and {folds.assignment[image]}; expected the same fold"
            )
