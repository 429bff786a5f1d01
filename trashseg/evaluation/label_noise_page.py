"""The doubtful labels as one HTML file: photo, label and prediction side by side, the region framed."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from trashseg.classes import Classes
from trashseg.evaluation.label_noise import Finding, kind
from trashseg.io import read_image, read_mask, write_text
from trashseg.report.pictures import data_uri, paint

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}"
    "figure{margin:0 0 2rem}figcaption{margin-bottom:.4rem}img{width:100%;border-radius:4px}small{color:#777}"
    ".row{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}}"
)


def framed(image_HWC: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The picture with a yellow frame around a box."""
    left, top, width, height = box
    thick = max(1, max(image_HWC.shape[:2]) // 200)
    corner = (left + width + thick, top + height + thick)
    return np.asarray(
        cv2.rectangle(image_HWC.copy(), (left - thick, top - thick), corner, (255, 220, 0), thick), np.uint8
    )


def figure(
    finding: Finding,
    name: str,
    photo: Path,
    truth_HW: NDArray[np.uint8],
    prediction_HW: NDArray[np.uint8],
    classes: Classes,
    side_px: int,
) -> Markup:
    """One finding: photo, label, prediction."""
    image_HWC, palette = read_image(photo), classes.palette()
    pictures = [image_HWC, paint(image_HWC, truth_HW, palette), paint(image_HWC, prediction_HW, palette)]
    words = ("photo", "label", "prediction")
    cells = Markup("").join(
        Markup('<div><img alt="{}" src="{}"><small>{}</small></div>').format(
            word, data_uri(framed(picture, finding.box), side_px), word
        )
        for word, picture in zip(words, pictures, strict=True)
    )
    return Markup(
        "<figure><figcaption><b>{}</b> <small>{} (image {}), {} px, {:.0%} surer of it than of the label</small>"
        '</figcaption><div class="row">{}</div></figure>'
    ).format(kind(finding, classes), name, finding.image_id, finding.area_px, finding.margin, cells)


def write_page(
    path: Path,
    findings: Sequence[Finding],
    names: dict[int, str],
    images: Path,
    masks: Path,
    predictions: dict[int, NDArray[np.uint8]],
    classes: Classes,
    side_px: int = 320,
) -> None:
    """Write the page of `findings`, in their order; `names` are file names below `images`, masks lie in `masks`."""
    figures = Markup("\n").join(
        figure(
            finding,
            names[finding.image_id],
            images / names[finding.image_id],
            read_mask(masks / f"{finding.image_id}.png"),
            predictions[finding.image_id],
            classes,
            side_px,
        )
        for finding in findings
    )
    intro = (
        "Regions where models that never saw the photo contradict its label, and are sure. "
        "Some are mistakes in the labels, some are mistakes of the models: look before you mend."
    )
    write_text(
        path,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Doubtful labels</title><style>{STYLE}</style>"
        f"<h1>Doubtful labels</h1><p>{escape(intro)}</p>{figures}\n",
    )
