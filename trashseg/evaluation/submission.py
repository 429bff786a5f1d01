"""The contest's CSV: masks on a grid as text, written, checked and read back.

Columns `image_id,PredictionString`; image_id is the image's `file_name`, rows
come in the order of test.json, and PredictionString is side x side integers,
row by row, one space between. The text of a mask is looked up, not formatted:
one table holds each value's digits and space.
"""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.evaluation.grid import SIDE, to_grid
from trashseg.io import atomic, read_json

HEADER = ("image_id", "PredictionString")


_TEXTS = np.array([f"{value} ".encode().ljust(4, b"\0") for value in range(256)], "S4").view(np.uint32)
"""Each value's digits and a space, filled up with NUL to four bytes."""


def encode_labels(mask_HW: NDArray[np.uint8]) -> bytes:
    """The values of a mask, row by row, as decimal text with one space between.

    >>> encode_labels(np.array([[0, 10], [3, 0]], np.uint8))
    b'0 10 3 0'
    """
    return _TEXTS[mask_HW.ravel()].tobytes().translate(None, b"\0")[:-1]


def decode_labels(text: str) -> NDArray[np.int64]:
    """The integers of a PredictionString; `ValueError` for anything else."""
    raw = np.frombuffer(text.encode("ascii"), np.uint8)
    is_digit = (raw >= ord("0")) & (raw <= ord("9"))
    if not np.array_equal(~is_digit, raw == ord(" ")):
        raise ValueError("other characters than digits and spaces")
    spaces = np.flatnonzero(~is_digit)
    ends = np.append(spaces, len(raw))
    starts = np.concatenate([[0], spaces + 1])
    lengths = ends - starts
    if not lengths.all():
        raise ValueError("two spaces in a row, or one at an end")
    if lengths.max(initial=0) > 3:
        raise ValueError("a number of more than three digits")
    values = (raw[ends - 1] - ord("0")).astype(np.int64)
    for place in (1, 2):
        longer = lengths > place
        values[longer] += (raw[ends[longer] - 1 - place] - ord("0")).astype(np.int64) * 10**place
    integers: NDArray[np.int64] = values
    return integers


def write_submission(
    path: Path, names: Iterable[str], mask_of: Callable[[int], NDArray[np.uint8]], side: int = SIDE
) -> None:
    """Write the CSV of `names` (file names, in order); `mask_of(row)` gives a row's mask_HW of any size."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(",".join(HEADER).encode() + b"\n")
        for row, name in enumerate(names):
            file.write(_quoted(name).encode() + b"," + encode_labels(to_grid(mask_of(row), side)) + b"\n")


def _quoted(name: str) -> str:
    """A CSV field: quoted only where it must be, as the csv module does."""
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\r\n') else name


def image_rows(path: Path) -> list[dict[str, Any]]:
    """The image rows of a COCO file, in its order."""
    value = read_json(path)
    try:
        rows = [{**row, "file_name": str(row["file_name"]), "id": int(row["id"])} for row in value["images"]]
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{path}: expected COCO images with id and file_name") from None
    return rows


def read_rows(path: Path) -> Iterator[tuple[str, str]]:
    """(image_id, PredictionString) of each row of a submission; an `InputError` for another header or shape."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            if header is None or tuple(header) != HEADER:
                raise InputError(f"{path}: the first line is {header}, expected {','.join(HEADER)}")
            for row in reader:
                if len(row) != 2:
                    raise InputError(f"{path}: line {reader.line_num}: {len(row)} columns, expected 2")
                yield row[0], row[1]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None


def read_submission(path: Path, classes: int, side: int = SIDE) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(image_id, mask_HW of side x side) of each row; rows that break the format are an `InputError`."""
    for name, text in read_rows(path):
        try:
            values = decode_labels(text)
        except ValueError as error:
            raise InputError(f"{path}: {name}: found {error}, expected {side * side} integers") from None
        if len(values) != side * side:
            raise InputError(f"{path}: {name}: {len(values)} integers, expected {side * side}")
        if values.max() >= classes:
            raise InputError(f"{path}: {name}: found class {values.max()}, expected 0..{classes - 1}")
        yield name, values.astype(np.uint8).reshape(side, side)


def validate_submission(path: Path, names: Sequence[str], classes: int, side: int = SIDE) -> None:
    """Raise `InputError` unless the CSV holds exactly `names`, in order, each with a whole mask of 0..classes-1."""
    count = 0
    for count, (name, _) in enumerate(read_submission(path, classes, side), 1):
        if count > len(names):
            raise InputError(f"{path}: row {count} is {name}, expected {len(names)} rows")
        if name != names[count - 1]:
            raise InputError(f"{path}: row {count} is {name}, expected {names[count - 1]}")
    if count != len(names):
        raise InputError(f"{path}: {count} rows, expected {len(names)}")
