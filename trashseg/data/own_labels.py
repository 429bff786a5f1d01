"""The labels of a user's own COCO file, outside of the pipeline: what every verb on files reads first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trashseg.classes import Classes
from trashseg.data.assemble import classes_of, mapped
from trashseg.data.coco import Coco, Row, read_coco
from trashseg.data.scenes import SceneFile, scene_files

IGNORED = ("UNKNOWN",)
"""Categories that are no class unless a user says otherwise: the contest's name for what nobody could tell."""


@dataclass(frozen=True)
class OwnLabels:
    """A checked COCO file as it is (`coco`), its classes, and its annotations with class indices for category ids.

    `ignored` are the annotations of ignored categories.
    """

    coco: Coco
    classes: Classes
    kept: list[Row]
    ignored: list[Row]

    def as_document(self) -> dict[str, list[Row]]:
        """Images, annotations and ignored annotations in the shape of the dataset stage's files."""
        return {"images": self.coco.images, "annotations": self.kept, "ignored_annotations": self.ignored}

    def scenes(self, images: Path) -> list[SceneFile]:
        """The labelled images, whose files lie below `images`; masks are painted from the annotations."""
        return scene_files(self.as_document(), images, None)


def read_own_labels(path: Path, ignore: Sequence[str] = IGNORED) -> OwnLabels:
    """Read and check a COCO file; the first fault is an `InputError` that names file and id."""
    coco = read_coco(path)
    classes, class_of = classes_of(coco.categories, path, ignore)
    return OwnLabels(coco, classes, *mapped(coco, class_of))
