"""Labels that out-of-fold predictions confidently contradict: likely mistakes, worst first.

The idea of confident learning (Northcutt, Jiang, Chuang, JAIR 2021) for
masks: a model that never saw an image disagrees with its label, and is sure.
Regions of such pixels with one label and one prediction are findings: a wrong
class, an object nobody drew (labelled Background), or one that is not there.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID, Classes
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.workers import each
from trashseg.io import read_mask
from trashseg.paths import mask_name


@dataclass(frozen=True)
class Finding:
    """A region of one image: its label's class, the predicted class, its box (x, y, width, height) in px.

    `margin` is the mean of predicted minus label's probability, in [0, 1];
    `score` is it times the root of the region's share of the image.
    """

    image_id: int
    label: int
    prediction: int
    area_px: int
    box: tuple[int, int, int, int]
    margin: float
    score: float


@dataclass(frozen=True)
class Doubt:
    """An image: the share of labelled pixels that are confidently contradicted, and its findings, worst first."""

    image_id: int
    contradicted: float
    findings: tuple[Finding, ...]


def margins(truth_HW: NDArray[np.uint8], probabilities_CHW: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much likelier than the label each pixel's prediction is, (H, W) in [0, 1]; 0 where they agree or `VOID`."""
    known_HW = truth_HW != VOID
    label_HW = np.where(known_HW, truth_HW, 0).astype(np.int64)
    own_HW = np.take_along_axis(probabilities_CHW, label_HW[None], axis=0)[0]
    gaps_HW: NDArray[np.float32] = np.where(known_HW, probabilities_CHW.max(0) - own_HW, 0).astype(np.float32)
    return gaps_HW


def regions(
    truth_HW: NDArray[np.uint8], prediction_HW: NDArray[np.uint8], sure_HW: NDArray[np.bool_], area_px: int
) -> Iterable[tuple[int, int, NDArray[np.bool_], tuple[int, int, int, int]]]:
    """(label, prediction, pixels_HW, box) of each 8-connected region of at least `area_px` sure pixels of one pair."""
    pairs = truth_HW.astype(np.int64) * 256 + prediction_HW
    for pair in np.unique(pairs[sure_HW]):
        inside = ((pairs == pair) & sure_HW).astype(np.uint8)
        count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(inside)
        for region in range(1, count):
            if stats[region, cv2.CC_STAT_AREA] >= area_px:
                left, top, width, height = (int(value) for value in stats[region, :4])
                yield int(pair) // 256, int(pair) % 256, labels_HW == region, (left, top, width, height)


def doubt(
    image_id: int,
    truth_HW: NDArray[np.uint8],
    probabilities_CHW: NDArray[np.float32],
    margin: float = 0.5,
    area_share: float = 0.001,
) -> Doubt:
    """What speaks against one image's label.

    A pixel is contradicted where its prediction is more than `margin` likelier
    than its label; regions below `area_share` of the image are not findings.
    """
    gaps_HW = margins(truth_HW, probabilities_CHW)
    sure_HW = gaps_HW > margin
    prediction_HW = probabilities_CHW.argmax(0).astype(np.uint8)
    found = []
    least_px = max(1, round(area_share * truth_HW.size))
    for label, predicted, pixels_HW, box in regions(truth_HW, prediction_HW, sure_HW, least_px):
        area_px, mean = int(pixels_HW.sum()), float(gaps_HW[pixels_HW].mean())
        score = mean * (area_px / truth_HW.size) ** 0.5
        found.append(Finding(image_id, label, predicted, area_px, box, mean, score))
    known = int(np.count_nonzero(truth_HW != VOID))
    worst_first = tuple(sorted(found, key=lambda finding: (-finding.score, finding.box)))
    return Doubt(image_id, float(np.count_nonzero(sure_HW)) / max(known, 1), worst_first)


def rank(
    ids: Iterable[int],
    masks: Path,
    store: ProbabilityStore,
    margin: float = 0.5,
    area_share: float = 0.001,
    workers: int = 0,
) -> list[Doubt]:
    """Every image's doubt, the image with the worst finding first, then by its contradicted share."""

    def of(image_id: int) -> Doubt:
        return doubt(image_id, read_mask(masks / mask_name(image_id)), store.read(image_id), margin, area_share)

    doubts = list(each(of, sorted(ids), "label noise", workers))
    return sorted(doubts, key=lambda d: (-max((f.score for f in d.findings), default=0.0), -d.contradicted, d.image_id))


def kind(finding: Finding, classes: Classes) -> str:
    """A finding in words."""
    label, predicted = classes.names[finding.label], classes.names[finding.prediction]
    if finding.label == 0:
        return f"perhaps an unlabelled {predicted}"
    if finding.prediction == 0:
        return f"labelled {label}, perhaps nothing there"
    return f"labelled {label}, perhaps {predicted}"


def as_json(doubts: Iterable[Doubt], classes: Classes) -> list[dict[str, object]]:
    """The ranking as `ranking.json` has it."""
    return [
        {
            "image_id": d.image_id,
            "contradicted": d.contradicted,
            "findings": [{**asdict(f), "box": list(f.box), "words": kind(f, classes)} for f in d.findings],
        }
        for d in doubts
    ]
