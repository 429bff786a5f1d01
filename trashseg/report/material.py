"""What the report reads: one object over the artefacts of the working folder.

Everything is found through names from params and COCO ids, nothing by
listing folders, so stray files show nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import Classes, read_classes
from trashseg.data.folds import Folds, read_folds
from trashseg.errors import InputError
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_image, read_json, read_mask
from trashseg.report.scores import Step, read_steps


@dataclass(frozen=True)
class Selected:
    """What `select` chose, and why."""

    round_id: str
    step: str
    reason: str


@dataclass(frozen=True)
class Material:
    """The artefacts of a finished pipeline, read where they are small, reachable by image id where they are large."""

    classes: Classes
    folds: Folds
    labelled: Mapping[int, str]
    test: Mapping[int, str]
    annotations: Sequence[Mapping[str, Any]]
    rounds: Sequence[str]
    models: Sequence[str]
    steps: Sequence[Step]
    selected: Selected
    refine: Mapping[str, Any]

    @property
    def chosen(self) -> Step:
        """The step that is shipped."""
        for step in self.steps:
            if (step.round_id, step.name) == (self.selected.round_id, self.selected.step):
                return step
        where = paths.SELECT / "selected.json"
        raise InputError(
            f"{where}: round {self.selected.round_id!r} has no step {self.selected.step!r} among its scores"
        )

    def photo(self, image: int) -> NDArray[np.uint8]:
        """The photo image_HWC of a labelled or test image."""
        name = self.labelled.get(image) or self.test[image]
        return read_image(paths.DATASET / "images" / name)

    def truth(self, image: int) -> NDArray[np.uint8]:
        """The label mask_HW of a labelled image."""
        return read_mask(paths.MASKS / paths.mask_name(image))

    def refined(self, image: int) -> NDArray[np.uint8]:
        """The out-of-fold answer mask_HW after the CRF."""
        return read_mask(paths.refine(self.selected.round_id) / "oof" / paths.mask_name(image))

    def ensembled(self, image: int) -> NDArray[np.uint8]:
        """The out-of-fold answer mask_HW before the CRF."""
        store = ProbabilityStore(paths.ensemble(self.selected.round_id) / "oof")
        return np.asarray(store.read(image).argmax(0), np.uint8)

    def shipped(self, image: int) -> NDArray[np.uint8]:
        """The out-of-fold answer mask_HW of the selected step."""
        differs = self.selected.step == "ensemble" and self.refine.get("on")
        return self.ensembled(image) if differs else self.refined(image)

    def member_answers(self, image: int) -> list[NDArray[np.uint8]]:
        """What each member of the selected round painted on a test image."""
        folders = [
            paths.predict(self.selected.round_id, model) / str(fold) / "test"
            for model in self.models
            for fold in range(self.folds.k)
        ]
        return [np.asarray(ProbabilityStore(folder).read(image).argmax(0), np.uint8) for folder in folders]


def _file_names(coco: Mapping[str, Any]) -> dict[int, str]:
    return {int(image["id"]): str(image["file_name"]) for image in coco["images"]}


def _selected(path: Path) -> Selected:
    content = read_json(path)
    try:
        return Selected(str(content["round"]), str(content["step"]), str(content.get("reason", "")))
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: expected {{round, step, reason}}") from None


def read_material(rounds: Sequence[str], models: Sequence[str]) -> Material:
    """Read what the report needs from the working folder's artefacts."""
    train_all = read_json(paths.DATASET / "train_all.json")
    selected = _selected(paths.SELECT / "selected.json")
    return Material(
        classes=read_classes(paths.DATASET / "classes.json"),
        folds=read_folds(paths.FOLDS / "folds.json"),
        labelled=_file_names(train_all),
        test=_file_names(read_json(paths.DATASET / "test.json")),
        annotations=train_all["annotations"],
        rounds=rounds,
        models=models,
        steps=read_steps(rounds),
        selected=selected,
        refine=read_json(paths.refine(selected.round_id) / "refine.json"),
    )
