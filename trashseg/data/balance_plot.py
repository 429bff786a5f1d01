"""The balance report as a picture: for each class, the fold shares of every method around the equal share.

SVG written by hand: it needs no plotting library, and the same report gives the same bytes.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

COLOURS = ("#0b6e4f", "#e08e0b", "#b3445e", "#4a6fa5")
LEFT, WIDTH, ROW, TOP = 150, 560, 34, 70
DOT = 4


def balance_svg(report: Mapping[str, Any]) -> str:
    """An SVG document: a row per class present, a dot per fold and method at the fold's share of the class's pixels."""
    methods = report["methods"]
    rows = [name for name in report["classes"] if methods[report["method"]]["pixel_share"][name] is not None]
    most = max(share for method in methods.values() for name in rows for share in method["pixel_share"][name])
    scale = WIDTH / max(most, 1.5 / report["k"])
    height = TOP + ROW * len(rows) + 30
    even = LEFT + scale / report["k"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {height}" '
        f'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<path d="M {even:.1f} {TOP - 10} V {height - 25}" stroke="#888" stroke-dasharray="4"/>',
        f'<text x="{even:.1f}" y="{height - 8}" text-anchor="middle">equal share, {100 / report["k"]:.1f} %</text>',
        *_legend(methods),
    ]
    for at, name in enumerate(rows):
        parts += _row(TOP + ROW * at, name, methods, scale)
    return "\n".join([*parts, "</svg>\n"])


def _legend(methods: Mapping[str, Any]) -> list[str]:
    parts = ['<text x="10" y="20" font-size="14">Share of each class\'s pixels held out in each fold</text>']
    for at, (name, method) in enumerate(methods.items()):
        x = LEFT + 190 * at
        label = f"{escape(name)} (worst {100 * method['worst']['deviation']:.1f} points off)"
        parts.append(f'<circle cx="{x}" cy="38" r="{DOT}" fill="{COLOURS[at % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 8}" y="42">{label}</text>')
    return parts


def _row(top: float, name: str, methods: Mapping[str, Any], scale: float) -> list[str]:
    parts = [f'<text x="{LEFT - 12}" y="{top + 12}" text-anchor="end">{escape(name)}</text>']
    for at, method in enumerate(methods.values()):
        y = top + 2 + 9 * at
        for share in method["pixel_share"][name]:
            x = LEFT + scale * share
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y}" r="{DOT}" fill="{COLOURS[at % len(COLOURS)]}" fill-opacity="0.7"/>'
            )
    return parts
