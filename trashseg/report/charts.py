"""Charts as SVG text that takes its colours from the page, so that light and dark need no second drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 10, 28


@dataclass(frozen=True)
class Series:
    """A line: x and y of its points in order; not-finite values break it."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def ring(share: float, text: str) -> Markup:
    """A ring filled to `share` in [0, 1] with `text` in the middle."""
    around = 2 * math.pi * 52
    filled = around * min(max(share, 0), 1)
    return Markup(
        f'<svg class="ring" viewBox="0 0 120 120" role="img" aria-label="{escape(text)}">'
        f'<circle cx="60" cy="60" r="52" class="track"/>'
        f'<circle cx="60" cy="60" r="52" class="fill" stroke-dasharray="{filled:.1f} {around:.1f}" '
        f'transform="rotate(-90 60 60)"/>'
        f'<text x="60" y="61" class="big">{escape(text)}</text></svg>'
    )


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers that cover low..high."""
    span = (high - low) or abs(high) or 1.0
    raw = span / count
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw * 0.999)
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.0e}"


def _path(series: Series, place_x: Sequence[float], place_y: Sequence[float]) -> str:
    commands, pen = [], "M"
    for x, y, value in zip(place_x, place_y, series.y, strict=True):
        if not math.isfinite(value):
            pen = "M"
            continue
        commands.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(commands)


def lines(series: Sequence[Series], title: str, x_label: str, zero: bool = False) -> Markup:
    """A line chart; `zero` starts the y axis at 0. An empty one where nothing is finite."""
    xs = [x for line in series for x in line.x]
    ys = [y for line in series for y in line.y if math.isfinite(y)]
    if not xs or not ys:
        return Markup("")
    y_ticks = ticks(0.0 if zero else min(ys), max(ys))
    y_low, y_high = y_ticks[0], y_ticks[-1]
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1)

    def at_x(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def at_y(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in y_ticks:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(tick):.1f}" y2="{at_y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{at_y(tick) + 3.5:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in sorted({math.ceil(t) for t in ticks(x_low, x_high, 5) if x_low <= math.ceil(t) <= x_high}):
        parts.append(f'<text x="{at_x(tick):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{tick}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 1}" text-anchor="end" class="axis">{escape(x_label)}</text>')
    for index, line in enumerate(series):
        places = [at_x(x) for x in line.x], [at_y(y) if math.isfinite(y) else 0.0 for y in line.y]
        parts.append(f'<path class="s{index % 8}" d="{_path(line, *places)}"><title>{escape(line.name)}</title></path>')
    parts.append("</svg>")
    return Markup("".join(parts))
