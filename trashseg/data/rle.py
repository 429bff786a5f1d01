"""COCO run-length encodings: checked before pycocotools sees them.

pycocotools reads beyond its memory where counts do not sum to height x width
and loops far where they are huge; so counts are decoded and summed here first.
Runs go down the columns: pixel i is row i % height, column i // height, and
the first run is background.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Rle = dict[str, Any]
"""{"size": [height, width], "counts": bytes}, as pycocotools has it."""

MAX_DIGITS = 7
"""Characters of 5 bits each that a 32-bit count may take."""


def decode_counts(text: bytes) -> NDArray[np.int64]:
    """Run lengths of a compressed RLE string, int64. Raises `ValueError` in a sentence's half."""
    return decode_all([text])[0]


def decode_all(texts: Sequence[bytes]) -> list[NDArray[np.int64]]:
    """Run lengths of each of some strings; all of an image at once cost little more than one."""
    numbers, ends = _numbers(b"".join(texts))
    runs, start = [], 0
    for size in accumulate(map(len, texts)):
        stop = int(np.searchsorted(ends, size))
        if size and (not stop or ends[stop - 1] != size - 1):
            raise ValueError("RLE text ends within a number")
        counts, start = numbers[start:stop], stop
        for first in (1, 2):  # from the fourth on, a number is the difference to the one two before it
            np.cumsum(counts[first::2], out=counts[first::2])
        runs.append(counts)
    return runs


def _numbers(text: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The signed numbers that a string holds, 5 bits a character, and where each ends."""
    digits = np.frombuffer(text, np.uint8) - np.uint8(48)  # below '0' wraps to above 'o'
    if digits.max(initial=0) > 63:
        raise ValueError("RLE text holds characters outside '0'..'o'")
    ends = np.flatnonzero(digits < 32)
    if not len(ends):
        return np.zeros(0, np.int64), ends
    lengths = ends + 1
    lengths[1:] = ends[1:] - ends[:-1]
    if lengths.max() > MAX_DIGITS:
        raise ValueError("RLE text holds a number of more than 32 bits")
    starts = ends + 1 - lengths
    digits = digits[: ends[-1] + 1]
    place = np.arange(len(digits)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((digits & 31).astype(np.int64) << (5 * place), starts)
    unused = 64 - 5 * lengths  # bits above a number's own, which take its sign
    return (numbers << unused) >> unused, ends


def check_counts(counts: NDArray[np.int64], height: int, width: int) -> None:
    """Raise `ValueError` unless run lengths are >= 0 and sum to height x width."""
    if len(counts) and int(counts.min()) < 0:
        raise ValueError("RLE has a negative run")
    # floats cannot overflow; beyond 2**53 the sum is wrong anyway
    total = float(counts.sum(dtype=np.float64))
    if total != height * width:
        raise ValueError(f"RLE runs sum to {total:.0f}, expected {height} x {width} = {height * width}")


def checked_rle(value: object, height: int, width: int) -> Rle:
    """A segmentation given as RLE, text or list of counts, as pycocotools wants it. Raises `ValueError`."""
    if not isinstance(value, dict) or not {"size", "counts"} <= set(value):
        raise ValueError("expected RLE {size, counts}")
    size, counts = value["size"], value["counts"]
    if not isinstance(size, list | tuple) or [*size] != [height, width]:
        raise ValueError(f"RLE size is {size!r}, expected [{height}, {width}]")
    if isinstance(counts, str | bytes):
        text = counts.encode("ascii", "replace") if isinstance(counts, str) else counts
        check_counts(decode_counts(text), height, width)
        return {"size": [height, width], "counts": text}
    if not isinstance(counts, list) or not all(type(run) is int and abs(run) < 2**32 for run in counts):
        raise ValueError("RLE counts are neither text nor a list of whole numbers")
    check_counts(np.array(counts, np.int64), height, width)
    return dict(coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width))


def encode(mask_HW: NDArray[Any]) -> Rle:
    """The RLE of a mask; anything but 0 is inside."""
    return dict(coco_mask.encode(np.asfortranarray(mask_HW != 0, np.uint8)))


def to_json(rle: Rle) -> Rle:
    """An RLE as JSON can hold it: its counts as text."""
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}
