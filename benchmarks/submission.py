"""`submission`: seconds for 819 rows of 512x512 masks, written, checked, and the original's way.

The original's way: masks as text by formatting each integer in Python
(`" ".join(str(value))`), rows gathered in a data frame, `to_csv`.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from trashseg.classes import CONTEST
from trashseg.evaluation.submission import validate_submission, write_submission
from trashseg.io import read_mask, write_mask

ROWS = 819
SHARE = 82


def timed(action: Callable[[], None]) -> tuple[float, float]:
    """(seconds on the clock, seconds of CPU)."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def usual_way(names: list[str], masks: Path, out: Path) -> None:
    """The original's way."""
    texts = [
        " ".join(str(value) for value in read_mask(masks / f"{row}.png")[::2, ::2].ravel()) for row in range(len(names))
    ]
    pd.DataFrame({"image_id": names, "PredictionString": texts}).to_csv(out, index=False)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    names = [f"batch_01_vt/{row:04}.jpg" for row in range(ROWS)]
    blocks = [np.kron(rng.integers(0, 11, (16, 16)), np.ones((32, 32))).astype(np.uint8) for _ in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        masks, csv, other = Path(folder) / "masks", Path(folder) / "ours.csv", Path(folder) / "other.csv"
        for row in range(ROWS):
            write_mask(masks / f"{row}.png", blocks[row % 16], CONTEST.palette())
        write = timed(lambda: write_submission(csv, names, lambda row: read_mask(masks / f"{row}.png")))
        check = timed(lambda: validate_submission(csv, names, 11))
        usual = timed(lambda: usual_way(names[:SHARE], masks, other))
        same = csv.read_bytes().startswith(other.read_bytes())
    print(f"{ROWS} rows from mask files: {write[0]:.2f} s ({write[1]:.2f} s of CPU)")
    print(f"checking them: {check[0]:.2f} s ({check[1]:.2f} s of CPU)")
    scaled = usual[1] * ROWS / SHARE
    print(f"the original's way: {scaled:.1f} s of CPU (from {SHARE} rows), {scaled / write[1]:.1f} times as long")
    print(f"bytes equal: {same}")


if __name__ == "__main__":
    main()
