"""Plots of an evaluation for a run's page in MLflow: steps with intervals, classes, calibration, confusion.

SVG by hand from the tables that `dvc plots` draws too: no plotting library,
and the same scores give the same bytes.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import escape

from trashseg.tracking.pictures import confusion_svg

LEFT, WIDTH, ROW, TOP = 210, 480, 26, 46
GREEN, INK, GREY = "#0f8a5f", "#1b2420", "#dfe4e1"


def _page(height: int, title: str, parts: Sequence[str]) -> str:
    width = LEFT + WIDTH + 70
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>',
            f'<text x="10" y="24" font-size="15">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


Bar = tuple[str, float, float | None, float | None]


def bars_svg(title: str, rows: Sequence[Bar]) -> str:
    """A bar for each (name, value in [0, 1], low, high); the interval is a line over its end, where there is one."""
    parts = []
    for at, (name, value, low, high) in enumerate(rows):
        y = TOP + ROW * at
        parts.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="18" fill="{GREY}"/>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH * value:.1f}" height="18" fill="{GREEN}"/>')
        if low is not None and high is not None:
            x = f"M{LEFT + WIDTH * low:.1f} {y + 9}H{LEFT + WIDTH * high:.1f}"
            parts.append(f'<path d="{x}" stroke="{INK}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 8}" y="{y + 13}">{value:.3f}</text>')
    return _page(TOP + ROW * len(rows) + 10, title, parts)


def calibration_svg(rows: Sequence[tuple[float, float, float]]) -> str:
    """Accuracy over confidence, dots as large as their share (confidence, accuracy, share), beside the diagonal."""
    side = 360

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + side * x, TOP + side * (1 - y)

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts = [
        f'<rect x="{x0}" y="{y1}" width="{side}" height="{side}" fill="none" stroke="{GREY}"/>',
        f'<path d="M{x0} {y0}L{x1} {y1}" stroke="{INK}" stroke-dasharray="4" fill="none"/>',
        f'<text x="{x1}" y="{y0 + 18}" text-anchor="end">how sure (0 to 1)</text>',
        f'<text x="{x0 - 8}" y="{y1 + 12}" text-anchor="end">how often right (0 to 1)</text>',
    ]
    for confidence, accuracy, share in rows:
        x, y = at(confidence, accuracy)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 12 * share**0.5:.1f}" fill="{GREEN}" opacity="0.7"/>')
    return _page(TOP + side + 30, "Is it as sure as it is right?", parts)


def evaluation_plots(folder: Path) -> dict[str, str]:
    """File name -> SVG for each table that a scored part of a round has; tables that are not there are left out."""
    plots = {}
    if steps := _rows(folder / "steps.csv"):
        named: list[Bar] = [
            (row["step"], float(row["miou"]), float(row["low"]), float(row["high"])) for row in steps if row["miou"]
        ]
        plots["steps.svg"] = bars_svg("mIoU of each step, with its interval", named)
    if classes := _rows(folder / "per_class.csv"):
        last = classes[-1]["step"]
        values: list[Bar] = [(row["class"], float(row["iou"]), None, None) for row in classes if row["step"] == last]
        plots["classes.svg"] = bars_svg(f"IoU of each class, {last}", values)
    if bins := _rows(folder / "calibration.csv"):
        points = [(float(row["confidence"]), float(row["accuracy"]), float(row["share"])) for row in bins]
        plots["calibration.svg"] = calibration_svg(points)
    if counts := _rows(folder / "confusion.csv"):
        names = [name for name in counts[0] if name != "truth"]
        plots["confusion.svg"] = confusion_svg([[int(row[name]) for name in names] for row in counts], names)
    return plots


def _rows(path: Path) -> list[Mapping[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
