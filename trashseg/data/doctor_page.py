"""The doctor's page: one HTML file with its figures, its plots (SVG) and the worst offenders pictured."""

import base64
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.data.doctor import Diagnosis, Examined, Pair, areas_by_class
from trashseg.data.findings import Finding
from trashseg.data.segmentation import mask_of, rle_of
from trashseg.io import read_image, write_text

MAX_ROWS = 500
MAX_PICTURES = 12
PICTURE_PX = 240
MARK = (255, 40, 90)

STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:left;border-bottom:1px solid #ddd}
.error{color:#b00020;font-weight:600}.warning{color:#8a5a00}figure{display:inline-block;margin:.5rem;max-width:500px}
figcaption{font-size:13px}.ok{color:#0a7a2f}"""


def write_page(path: Path, dataset: Path, diagnosis: Diagnosis) -> None:
    """Write the page; all that comes from the dataset is escaped."""
    parts = [*_head(dataset, diagnosis), *_plots(diagnosis), *_pictures(diagnosis), *_findings(diagnosis)]
    title = escape(f"Doctor: {dataset}")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    write_text(path, f"{head}<h1>{title}</h1>{''.join(parts)}</html>\n".encode(errors="replace").decode())


def _head(dataset: Path, diagnosis: Diagnosis) -> Iterator[str]:
    errors, warnings = diagnosis.count("error"), diagnosis.count("warning")
    tone = "error" if errors else "warning" if warnings else "ok"
    yield f'<p class="{tone}">{errors} errors, {warnings} warnings in {escape(str(dataset))}.</p>'
    kinds = Counter((finding.severity, finding.kind) for finding in diagnosis.findings)
    rows = "".join(f'<tr><td class="{s}">{s}<td>{escape(k)}<td>{n}' for (s, k), n in sorted(kinds.items()))
    if rows:
        yield f"<table><tr><th>severity<th>kind<th>count{rows}</table>"


def _plots(diagnosis: Diagnosis) -> Iterator[str]:
    for file in diagnosis.files:
        yield f"<h2>{escape(str(file.path))}</h2>"
        yield f"<p>{len(file.rows.images)} sound images, {len(file.rows.annotations)} sound annotations.</p>"
        areas = areas_by_class(file.rows)
        if any(areas.values()):
            yield _figure(_bars({name: len(found) for name, found in areas.items()}), "Annotations per class")
            yield _figure(_bars(_histogram(areas)), "Annotations by area (px)")


def _histogram(areas: dict[str, list[float]]) -> dict[str, int]:
    """Counts by powers of four."""
    sizes = [area for found in areas.values() for area in found]
    bins = Counter(max(0, math.floor(math.log(max(area, 1), 4))) for area in sizes)
    return {f"{4**n} to {4 ** (n + 1)}": bins[n] for n in range(min(bins), max(bins) + 1)}


def _bars(values: dict[str, int]) -> str:
    """A horizontal bar chart, SVG."""
    most = max(values.values(), default=0) or 1
    rows = []
    for at, (name, value) in enumerate(list(values.items())[:60]):
        y, width = 22 * at, 300 * value / most
        rows.append(
            f'<text x="150" y="{y + 15}" text-anchor="end">{escape(name[:22])}</text>'
            f'<rect x="158" y="{y + 3}" width="{width:.1f}" height="16" fill="#3b7dd8"/>'
            f'<text x="{162 + width:.1f}" y="{y + 15}">{value}</text>'
        )
    height = 22 * len(rows) + 4
    return f'<svg width="500" height="{height}" font-size="13" role="img">{"".join(rows)}</svg>'


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def _pictures(diagnosis: Diagnosis) -> Iterator[str]:
    """Duplicates side by side, then annotations with a finding drawn on their images, the worst of each kind first."""
    folders = {str(file.path): file.folder for file in diagnosis.files}
    pairs = sorted(diagnosis.pairs, key=lambda pair: not pair.across)
    shown = [_pair_picture(pair, folders) for pair in pairs[: MAX_PICTURES // 2]]
    annotations = {
        (str(file.path), f"annotation {row['id']} of image {row['image_id']}"): (file, row)
        for file in diagnosis.files
        for row in file.rows.annotations
    }
    for finding in worst_first(diagnosis.findings):
        if len(shown) >= MAX_PICTURES:
            break
        if (place := (finding.where, finding.subject)) in annotations:
            shown.append(_annotation_picture(*annotations.pop(place), finding.sentence()))
    pictures = "".join(picture for picture in shown if picture)
    if pictures:
        yield f"<h2>Pictures of the worst</h2>{pictures}"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, kinds taking turns: first the worst of each kind, then the second worst, and so on."""
    rank: Counter[str] = Counter()
    ranked = []
    for finding in sorted(findings, key=lambda finding: -finding.amount):
        ranked.append((rank[finding.kind], finding))
        rank[finding.kind] += 1
    return [finding for _, finding in sorted(ranked, key=lambda pair: pair[0])]


def _pair_picture(pair: Pair, folders: dict[str, Path]) -> str:
    try:
        images = [_small(read_image(folders[where] / name)) for where, name in (pair.first, pair.second)]
    except (ValueError, cv2.error, OSError):
        return ""
    side = np.full((PICTURE_PX, 2 * PICTURE_PX + 8, 3), 255, np.uint8)
    for at, image in enumerate(images):
        left = at * (PICTURE_PX + 8)
        side[: image.shape[0], left : left + image.shape[1]] = image
    where = " (across files: would leak)" if pair.across else ""
    return _figure(_inline(side), f"{pair.first[1]} and {pair.second[1]}: {pair.bits} of 256 bits differ{where}")


def _annotation_picture(file: Examined, row: dict[str, object], caption: str) -> str:
    image = next(image for image in file.rows.images if image["id"] == row["image_id"])
    try:
        pixels = read_image(file.folder / image["file_name"])
        mask_HW = mask_of(rle_of(row["segmentation"], *pixels.shape[:2]))
    except (ValueError, cv2.error, OSError):
        return ""
    marked = pixels.copy()
    marked[mask_HW == 1] = (0.5 * marked[mask_HW == 1] + 0.5 * np.array(MARK)).astype(np.uint8)
    return _figure(_inline(_small(marked)), caption)


def _small(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = PICTURE_PX / max(image_HWC.shape[:2])
    size = max(1, round(image_HWC.shape[1] * factor)), max(1, round(image_HWC.shape[0] * factor))
    return np.asarray(cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)


def _inline(image_HWC: NDArray[np.uint8]) -> str:
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 80))[1]
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}">'


def _findings(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.findings:
        return
    ordered = sorted(diagnosis.findings, key=lambda finding: finding.severity)
    yield "<h2>Findings</h2><table>"
    for finding in ordered[:MAX_ROWS]:
        yield f'<tr><td class="{finding.severity}">{escape(finding.kind)}<td>{escape(finding.sentence())}'
    yield "</table>"
    if len(ordered) > MAX_ROWS:
        yield f"<p>and {len(ordered) - MAX_ROWS} more; --json lists all.</p>"
