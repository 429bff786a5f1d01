"""The images of one fold's training: labelled, synthetic and pseudo-labelled, and no leak among them.

Sets are read by the lists in their json files, never by what lies in a
folder. A derived set is refused where its lineage touches the validation
fold or a near-duplicate group of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trashseg.data.dataset import Example
from trashseg.errors import InputError
from trashseg.io import read_json
from trashseg.lineage import read_lineage, refuse_leaks
from trashseg.paths import mask_name


@dataclass(frozen=True)
class FoldImages:
    """A fold's labelled images as COCO rows: `training` to learn from, `validation` to score on."""

    fold: int
    training: Sequence[Mapping[str, Any]]
    validation: Sequence[Mapping[str, Any]]

    @property
    def validation_ids(self) -> set[int]:
        """Ids of the images held out."""
        return {int(row["id"]) for row in self.validation}

    @property
    def groups(self) -> dict[int, object]:
        """The near-duplicate group of each labelled image that has one."""
        rows = (*self.training, *self.validation)
        return {int(row["id"]): row["group"] for row in rows if row.get("group") is not None}


@dataclass(frozen=True)
class ExampleSet:
    """Examples of one origin, how often each is drawn against a labelled image, and until which epoch (None: all)."""

    examples: Sequence[Example]
    weight: float
    until_epoch: int | None = None


def image_rows(path: Path) -> list[dict[str, Any]]:
    """The `images` of a COCO json; `InputError` where there is no such list of {id, file_name}."""
    value = read_json(path)
    try:
        return [{**row, "id": int(row["id"]), "file_name": str(row["file_name"])} for row in value["images"]]
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{path}: expected a COCO json with images of {{id, file_name}}") from None


def read_fold(folds: Path, fold: int) -> FoldImages:
    """The rows of `kfold_{fold}_train.json` and `kfold_{fold}_val.json`; neither may be empty."""
    parts = []
    for part in ("train", "val"):
        path = folds / f"kfold_{fold}_{part}.json"
        rows = image_rows(path)
        if not rows:
            raise InputError(f"{path}: no image found, expected at least one; use fewer folds or more images")
        parts.append(rows)
    return FoldImages(fold, parts[0], parts[1])


def labelled_examples(rows: Sequence[Mapping[str, Any]], images: Path, masks: Path) -> list[Example]:
    """Labelled images and their masks."""
    return [Example(row["id"], images / row["file_name"], masks / mask_name(row["id"])) for row in rows]


def synthetic_examples(folder: Path, origin: str, fold: FoldImages) -> list[Example]:
    """The images of an `oversample` or `copy_paste` folder, after the check of their lineage."""
    rows = image_rows(folder / "annotations.json")
    _refuse_leaks(folder / "lineage.json", {row["id"] for row in rows}, fold)
    return [
        Example(row["id"], folder / "images" / row["file_name"], folder / "masks" / mask_name(row["id"]), origin)
        for row in rows
    ]


@dataclass(frozen=True)
class PseudoLabels:
    """A round's pseudo labels for one fold, and whether the round goes on."""

    accepted: bool
    reason: str
    examples: Sequence[Example]
    weight: float


def read_pseudo_labels(folder: Path, dataset: Path, fold: FoldImages) -> PseudoLabels:
    """The pseudo-labelled images of a `pseudo_label` folder, after the check of their lineage."""
    path = folder / "manifest.json"
    manifest = read_json(path)
    try:
        accepted, reason = bool(manifest["accepted"]), str(manifest.get("reason", ""))
        ids = [int(image_id) for image_id in manifest["images"]]
        weight = float(manifest.get("weight", 1.0))
    except (TypeError, KeyError, ValueError, AttributeError):
        raise InputError(f"{path}: expected {{accepted, reason, images: [ids], weight}}") from None
    if not accepted or not ids:
        return PseudoLabels(accepted, reason, [], weight)
    _refuse_leaks(folder / "lineage.json", set(ids), fold)
    files = [file for file in (dataset / "test.json", dataset / "unlabelled.json") if file.is_file()]
    names = {row["id"]: row["file_name"] for file in files for row in image_rows(file)}
    missing = [image_id for image_id in ids if image_id not in names]
    if missing:
        raise InputError(f"{path}: image {missing[0]} is not in {' or '.join(map(str, files))}")
    images, masks = dataset / "images", folder / "masks"
    examples = [Example(i, images / names[i], masks / mask_name(i), "pseudo_label") for i in ids]
    return PseudoLabels(accepted, reason, examples, weight)


def _refuse_leaks(path: Path, ids: set[int], fold: FoldImages) -> None:
    """Refuse a derived set that touches the validation fold, or an image whose sources are not told."""
    lineage = read_lineage(path)
    untold = sorted(ids - set(lineage.sources))
    if untold:
        raise InputError(f"{path}: image {untold[0]} has no sources, expected those of every image of the set")
    refuse_leaks(lineage, path, fold.fold, fold.validation_ids, fold.groups)
