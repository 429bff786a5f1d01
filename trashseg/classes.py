"""The classes of a dataset: names and display colours, index 0 is Background.

Classes are data: the `dataset` stage writes `classes.json` from the dataset's
own categories, and everything after it works with indices 0..C-1.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.io import read_json, write_json

VOID = 255
"""Mask value of pixels without a label: never trained on, never scored."""

CONTEST_NAMES = (
    "Background",
    "General trash",
    "Paper",
    "Paper pack",
    "Metal",
    "Glass",
    "Plastic",
    "Styrofoam",
    "Plastic bag",
    "Battery",
    "Clothing",
)

CONTEST_COLOURS = (
    (0, 0, 0),
    (192, 0, 128),
    (0, 128, 192),
    (0, 128, 64),
    (128, 0, 0),
    (64, 0, 128),
    (64, 0, 192),
    (192, 128, 64),
    (192, 192, 128),
    (64, 64, 128),
    (128, 0, 192),
)


def voc_colour(index: int) -> tuple[int, int, int]:
    """The PASCAL VOC colour of a class index: bits of the index, spread over r, g, b."""
    r = g = b = 0
    for bit in range(8):
        r |= (index >> 0 & 1) << (7 - bit)
        g |= (index >> 1 & 1) << (7 - bit)
        b |= (index >> 2 & 1) << (7 - bit)
        index >>= 3
    return r, g, b


@dataclass(frozen=True)
class Classes:
    """Names and r, g, b colours (0..255) of classes 0..C-1; class 0 is Background."""

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The index of a class name; an unknown one is an `InputError`."""
        if name not in self.names:
            raise InputError(f"class {name!r} is unknown; expected one of {', '.join(self.names)}")
        return self.names.index(name)

    def palette(self) -> NDArray[np.uint8]:
        """Colours for a 256-entry PNG palette, (256, 3); `VOID` is white."""
        palette = np.array([voc_colour(i) for i in range(256)], np.uint8)
        palette[: len(self)] = self.colours
        palette[VOID] = 255
        return palette


def named(names: tuple[str, ...]) -> Classes:
    """Classes of these names: the contest's colours where the names are its own, VOC's elsewhere."""
    known = dict(zip(CONTEST_NAMES, CONTEST_COLOURS, strict=True))
    if set(names) <= set(known):
        return Classes(names, tuple(known[name] for name in names))
    return Classes(names, tuple(voc_colour(i) for i in range(len(names))))


CONTEST = Classes(CONTEST_NAMES, CONTEST_COLOURS)


def write_classes(path: Path, classes: Classes) -> None:
    """Write `classes.json`: a list of {"name", "colour"} in index order."""
    rows = zip(classes.names, classes.colours, strict=True)
    write_json(path, [{"name": name, "colour": list(colour)} for name, colour in rows])


def read_classes(path: Path) -> Classes:
    """Read what `write_classes` wrote."""
    rows = read_json(path)
    try:
        names = tuple(str(row["name"]) for row in rows)
        colours = tuple((int(r), int(g), int(b)) for r, g, b in (row["colour"] for row in rows))
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{path}: expected a list of {{name, colour: [r, g, b]}}") from None
    return Classes(names, colours)
