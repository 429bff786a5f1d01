"""Pictures for a run's page in MLflow: a grid of overlays, a confusion matrix."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import Classes, read_classes
from trashseg.data.folds import read_folds
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_image, read_json, read_mask
from trashseg.report.examples import evenly
from trashseg.report.pictures import paint, shrink

CELL_PX = 40


class Shown(Protocol):
    """A photo, its truth and an answer, all of one size."""

    @property
    def image_HWC(self) -> NDArray[np.uint8]: ...
    @property
    def truth_HW(self) -> NDArray[np.uint8]: ...
    @property
    def answer_HW(self) -> NDArray[np.uint8]: ...


def grid(rows: Sequence[Sequence[NDArray[np.uint8]]], side_px: int = 256, gap_px: int = 6) -> NDArray[np.uint8]:
    """Rows of images as one image on white, each shrunk to at most `side_px` and set into a square."""
    side_px = min(side_px, max(max(image_HWC.shape[:2]) for row in rows for image_HWC in row))
    step = side_px + gap_px
    shape = (len(rows) * step - gap_px, max(len(row) for row in rows) * step - gap_px, 3)
    sheet_HWC = np.full(shape, 255, np.uint8)
    for r, row in enumerate(rows):
        for c, image_HWC in enumerate(row):
            small_HWC = shrink(image_HWC, side_px)
            height, width = small_HWC.shape[:2]
            sheet_HWC[r * step : r * step + height, c * step : c * step + width] = small_HWC
    return sheet_HWC


def answer_sheet(answers: Sequence[Shown], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Photo, truth and answer side by side, a row for each photo; `palette` is (256, 3)."""
    rows = [
        [each.image_HWC, paint(each.image_HWC, each.truth_HW, palette), paint(each.image_HWC, each.answer_HW, palette)]
        for each in answers
    ]
    return grid(rows)


def member_overlays(round_id: str, model: str, fold: int, count: int = 6) -> NDArray[np.uint8] | None:
    """Photo, truth and answer of some held-back photos of a member; None where its predictions are not there."""
    if not paths.predict(round_id, model).is_dir():
        return None
    ids = evenly(read_folds(paths.FOLDS / "folds.json").validation_ids(fold), count)
    store = ProbabilityStore(paths.predict(round_id, model) / str(fold) / "val")
    if not ids or not all(store.path(image).is_file() for image in ids):
        return None
    classes = read_classes(paths.DATASET / "classes.json")
    names = {int(row["id"]): str(row["file_name"]) for row in read_json(paths.DATASET / "train_all.json")["images"]}
    return grid([_row(paths.DATASET / "images" / names[image], store, image, classes) for image in ids])


def _row(photo: Path, store: ProbabilityStore, image: int, classes: Classes) -> list[NDArray[np.uint8]]:
    palette, image_HWC = classes.palette(), read_image(photo)
    truth_HW = read_mask(paths.MASKS / paths.mask_name(image))
    answer_HW = np.asarray(store.read(image).argmax(0), np.uint8)
    return [image_HWC, paint(image_HWC, truth_HW, palette), paint(image_HWC, answer_HW, palette)]


def confusion_svg(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """The confusion matrix in percent of each true class, as an SVG that MLflow's page shows."""
    left, top = 130, 120
    width, height = left + CELL_PX * len(names) + 10, top + CELL_PX * len(names) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for index, name in enumerate(names):
        middle = index * CELL_PX + CELL_PX / 2
        parts.append(f'<text x="{left - 8}" y="{top + middle + 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<text transform="translate({left + middle + 4} {top - 8}) rotate(-60)">{escape(name)}</text>')
    for row, values in enumerate(counts):
        total = max(1, sum(values))
        for column, value in enumerate(values):
            share = value / total
            colour = "15,138,95" if row == column else "214,69,69"
            x, y = left + column * CELL_PX, top + row * CELL_PX
            parts.append(
                f'<rect x="{x}" y="{y}" width="{CELL_PX - 2}" height="{CELL_PX - 2}" '
                f'fill="rgba({colour},{0.04 + 0.9 * share:.2f})"/>'
            )
            if share >= 0.005:
                parts.append(f'<text x="{x + 19}" y="{y + 24}" text-anchor="middle">{100 * share:.0f}</text>')
    parts.append(f'<text x="8" y="{top - 8}" fill="grey">true \u2193 painted \u2192 (%)</text></svg>')
    return str(Markup("").join(Markup(part) for part in parts))
