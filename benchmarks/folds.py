"""`folds`: seconds for 3,272 images, and how evenly each method spreads the pixels of every class.

TACO's polygons give the annotations and mask pixels; 3,272 images are drawn
from its 1,500 with replacement. The deviation is the worst class's furthest
fold share from 1/k, beyond what no split could avoid.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from trashseg.classes import CONTEST
from trashseg.data.balance import balance_report, shares
from trashseg.data.painted_pixels import painted_pixels
from trashseg.data.scenes import scene_files
from trashseg.data.split import METHODS, assign_folds
from trashseg.data.split_table import SplitTable, split_table
from trashseg.io import read_json

REAL = Path(os.environ.get("TRASHSEG_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
IMAGES = 3272
K = 5


def painted_table(path: Path, group_by: str | None) -> SplitTable:
    """The split's table of a COCO file, pixels counted in masks painted here."""
    coco = read_json(path)
    return split_table(coco, painted_pixels(scene_files(coco, path.parent, None), len(CONTEST), jobs=1), group_by)


def drawn(table: SplitTable, images: int) -> SplitTable:
    """`images` rows of the table, with replacement, each a group of its own."""
    rows = np.random.default_rng(0).integers(0, len(table.image_ids), images)
    return SplitTable(tuple(range(images)), np.arange(images), table.annotations_NC[rows], table.pixels_NC[rows])


def measure(title: str, table: SplitTable) -> dict[str, Any]:
    """Print one line per method: CPU seconds and worst deviation; give the deviations."""
    print(f"{title}: {len(table.image_ids)} images, {table.group_count} groups, {K} folds")
    deviation = {}
    assign_folds(table, K, "iterstrat", 0)  # its imports are not what is measured
    for method in METHODS:
        start = time.process_time()
        folds = assign_folds(table, K, method, 0)
        seconds = time.process_time() - start
        worst = shares(folds, table, CONTEST.names)["worst"]
        deviation[method] = worst["deviation"]
        print(f"  {method:<11} {seconds:6.2f} CPU s   worst class {worst['deviation']:.4f} off ({worst['class']})")
    start = time.process_time()
    balance_report(assign_folds(table, K, "greedy", 0), table, CONTEST.names, "greedy", 0)
    print(f"  greedy with its report {time.process_time() - start:.2f} CPU s")
    print(f"  greedy / iterstrat deviation: {deviation['greedy'] / deviation['iterstrat']:.3f} (wanted: at most 0.25)")
    return deviation


def main() -> None:
    """Measure on TACO and on trash_real."""
    if not REAL.is_dir():
        sys.exit(f"no folder {REAL}; set TRASHSEG_REAL_DATA to real polygons")
    taco = painted_table(REAL / "taco" / "taco_11cls_512_noimages.json", None)
    measure("TACO", taco)
    measure("TACO, drawn", drawn(taco, IMAGES))
    measure("trash_real, near-duplicates together", painted_table(REAL / "trash_real" / "train_all.json", "dup_group"))


if __name__ == "__main__":
    main()
