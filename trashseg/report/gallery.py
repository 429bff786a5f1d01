"""The report's picture rows: photo, truth, answer, mistakes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from trashseg.report import examples
from trashseg.report.config import ReportConfig
from trashseg.report.material import Material
from trashseg.report.pictures import data_uri, heat, mistakes, paint
from trashseg.report.words import percent


@dataclass(frozen=True)
class Picture:
    """One picture as a `data:` address."""

    src: Markup
    caption: str


@dataclass(frozen=True)
class Example:
    """A row of pictures of one photo; `classes` are the names in its truth."""

    title: str
    note: str
    pictures: Sequence[Picture]
    classes: Sequence[str]


@dataclass(frozen=True)
class Gallery:
    """All picture rows of the report."""

    best: Sequence[Example]
    worst: Sequence[Example]
    crf: Sequence[Example]
    disagreement: Sequence[Example]


class Painter:
    """Turns images of a pipeline into picture rows of one size."""

    def __init__(self, material: Material, side_px: int) -> None:
        self.material = material
        self.side_px = side_px
        self.palette = material.classes.palette()

    def picture(self, image_HWC: NDArray[np.uint8], caption: str) -> Picture:
        """A captioned picture."""
        return Picture(data_uri(image_HWC, self.side_px), caption)

    def painted(self, photo_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], caption: str) -> Picture:
        """The photo with a mask painted over it."""
        return self.picture(paint(photo_HWC, mask_HW, self.palette), caption)

    def names(self, mask_HW: NDArray[np.uint8]) -> list[str]:
        """The names of the classes in a mask, Background aside."""
        return [self.material.classes.names[index] for index in sorted(examples.present(mask_HW))]

    def answer(self, image: int, score: float) -> Example:
        """Photo, truth, answer and mistakes of a labelled image."""
        photo, truth = self.material.photo(image), self.material.truth(image)
        prediction = self.material.shipped(image)
        rows = [
            self.picture(photo, "photo"),
            self.painted(photo, truth, "truth"),
            self.painted(photo, prediction, "computer"),
            self.picture(mistakes(photo, truth, prediction), "mistakes in red"),
        ]
        return Example(self.material.labelled[image], f"mIoU {percent(score)}", rows, self.names(truth))

    def before_after(self, image: int, before: float, after: float) -> Example:
        """Photo, truth and the answers without and with the CRF."""
        photo, truth = self.material.photo(image), self.material.truth(image)
        rows = [
            self.picture(photo, "photo"),
            self.painted(photo, truth, "truth"),
            self.painted(photo, self.material.ensembled(image), "before"),
            self.painted(photo, self.material.refined(image), "after"),
        ]
        note = f"mIoU {percent(before)} before, {percent(after)} after"
        return Example(self.material.labelled[image], note, rows, self.names(truth))

    def disputed(self, image: int, masks: Sequence[NDArray[np.uint8]]) -> Example:
        """A test photo, two members' answers that differ most, and where all members disagree."""
        photo = self.material.photo(image)
        share = examples.disagreement(masks, len(self.material.classes))
        first, second = max(
            ((a, b) for a in range(len(masks)) for b in range(a + 1, len(masks))),
            key=lambda pair: int((masks[pair[0]] != masks[pair[1]]).sum()),
        )
        rows = [
            self.picture(photo, "photo"),
            self.painted(photo, masks[first], "one network"),
            self.painted(photo, masks[second], "another one"),
            self.picture(heat(photo, share), "disagreement"),
        ]
        note = f"{len(masks)} networks differ on {percent(float((share > 0).mean()))} of the pixels"
        return Example(self.material.test[image], note, rows, [])


def _crf_rows(painter: Painter, scores: Mapping[int, float], count: int, scanned: int) -> list[Example]:
    material = painter.material
    if not count or not material.refine.get("on"):
        return []
    ids = examples.evenly(sorted(scores), scanned)
    classes = len(material.classes)
    before = examples.image_ious(ids, material.truth, material.ensembled, classes)
    after = examples.image_ious(ids, material.truth, material.refined, classes)
    return [painter.before_after(i, before[i], after[i]) for i in examples.changed(before, after, count)]


def _disputed_rows(painter: Painter, count: int, scanned: int) -> list[Example]:
    material = painter.material
    if not count or len(material.models) * material.folds.k < 2:
        return []
    shares = {}
    for image in examples.evenly(sorted(material.test), scanned):
        masks = material.member_answers(image)
        shares[image] = float(examples.disagreement(masks, len(material.classes)).mean())
    ranked = sorted(shares, key=lambda image: (-shares[image], image))[:count]
    return [painter.disputed(image, material.member_answers(image)) for image in ranked]


def build_gallery(material: Material, config: ReportConfig) -> Gallery:
    """Choose and paint every example."""
    painter = Painter(material, config.image_px)
    ids = sorted(material.folds.assignment)
    scores = examples.image_ious(ids, material.truth, material.shipped, len(material.classes))
    best = examples.best(scores, material.truth, config.best)
    worst = examples.worst({i: score for i, score in scores.items() if i not in best}, config.worst)
    return Gallery(
        best=[painter.answer(image, scores[image]) for image in best],
        worst=[painter.answer(image, scores[image]) for image in worst],
        crf=_crf_rows(painter, scores, config.crf, config.scanned),
        disagreement=_disputed_rows(painter, config.disagreement, config.scanned),
    )
