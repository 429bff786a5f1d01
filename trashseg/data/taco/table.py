"""Which class each of TACO's categories is: `classes.csv`, or a table of the user's own."""

import csv
from pathlib import Path

from trashseg.classes import CONTEST_NAMES
from trashseg.errors import InputError

TABLE = Path(__file__).with_name("classes.csv")
IGNORED = "UNKNOWN"
"""The class of what a table leaves empty: `data.ignore_categories` knows it."""


def read_table(path: Path = TABLE) -> dict[str, str]:
    """TACO category name -> class name; an empty class means: ignore its pixels."""
    try:
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: cannot be read; expected a table of TACO category, class") from None
    rows = list(csv.reader(lines))
    if not rows or rows[0] != ["taco", "class"]:
        raise InputError(f"{path}: expected the columns taco,class, found {rows[0] if rows else 'nothing'}")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2:
            raise InputError(f"{path}: row {number}: expected a TACO category and a class, found {row}")
    return {name.strip(): to.strip() or IGNORED for name, to in rows[1:]}


def class_order(table: dict[str, str]) -> list[str]:
    """Class names of a table: the contest's first, in its order, then others as they come."""
    names = [name for name in dict.fromkeys(table.values()) if name != IGNORED]
    return [*(name for name in CONTEST_NAMES[1:] if name in names), *(n for n in names if n not in CONTEST_NAMES)]
