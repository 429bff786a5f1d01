"""Which fold each labelled image is held out in: `folds.json`, and the COCO files of each fold.

Reading is light (no scikit-learn, no torch): every stage after `folds` asks here which images it may see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trashseg.errors import InputError
from trashseg.io import read_json, write_json


@dataclass(frozen=True)
class Folds:
    """A k-fold split: `assignment` maps each labelled image id to the fold (0..k-1) that holds it out."""

    k: int
    assignment: Mapping[int, int]

    def validation_ids(self, fold: int) -> list[int]:
        """Ids of the images held out in `fold`, ascending."""
        self._check(fold)
        return sorted(image for image, held_out in self.assignment.items() if held_out == fold)

    def training_ids(self, fold: int) -> list[int]:
        """Ids of the images that `fold` may learn from, ascending."""
        self._check(fold)
        return sorted(image for image, held_out in self.assignment.items() if held_out != fold)

    def _check(self, fold: int) -> None:
        if not 0 <= fold < self.k:
            raise InputError(f"fold {fold} is unknown; expected one of 0..{self.k - 1}")


def read_folds(path: Path) -> Folds:
    """Read `folds.json`; anything but {"k": n, "assignment": {"<image id>": fold}} is an `InputError`."""
    value = read_json(path)
    try:
        folds = Folds(int(value["k"]), {int(image): int(fold) for image, fold in value["assignment"].items()})
    except (TypeError, KeyError, ValueError, AttributeError):
        raise InputError(f"{path}: expected {{k: n, assignment: {{image id: fold}}}}") from None
    for image, fold in folds.assignment.items():
        if not 0 <= fold < folds.k:
            raise InputError(f"{path}: image {image} is in fold {fold}, expected one of 0..{folds.k - 1}")
    return folds


def write_folds(path: Path, folds: Folds) -> None:
    """Write `folds.json`, ids ascending."""
    write_json(path, {"k": folds.k, "assignment": {str(i): folds.assignment[i] for i in sorted(folds.assignment)}})


def subset(coco: Mapping[str, Any], image_ids: set[int]) -> dict[str, Any]:
    """The part of a COCO document that shows `image_ids`; every key that is not about images is kept as it is."""
    part = dict(coco, images=[row for row in coco["images"] if row["id"] in image_ids])
    for key in ("annotations", "ignored_annotations"):
        if key in coco:
            part[key] = [row for row in coco[key] if row["image_id"] in image_ids]
    return part


def write_fold_files(folder: Path, folds: Folds, coco: Mapping[str, Any]) -> None:
    """Write `folds.json`, `kfold_{i}_train.json` and `kfold_{i}_val.json` into `folder`."""
    write_folds(folder / "folds.json", folds)
    for fold in range(folds.k):
        write_json(folder / f"kfold_{fold}_train.json", subset(coco, set(folds.training_ids(fold))), indent=None)
        write_json(folder / f"kfold_{fold}_val.json", subset(coco, set(folds.validation_ids(fold))), indent=None)
