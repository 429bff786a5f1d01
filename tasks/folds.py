"""Stage `folds`: deal the labelled images to folds that share every class evenly and tear no group apart."""

import argparse
import sys
from pathlib import Path

from trashseg.classes import read_classes
from trashseg.config import read_section, read_value
from trashseg.data.balance import balance_report, table_lines
from trashseg.data.balance_plot import balance_svg
from trashseg.data.class_pixels import reported_pixels
from trashseg.data.folds import write_fold_files
from trashseg.data.split import assign_folds, check_k, given_folds
from trashseg.data.split_table import split_table
from trashseg.data.synthesis_config import SplitConfig
from trashseg.errors import InputError, run_command
from trashseg.io import read_json, write_json, write_text
from trashseg.paths import DATASET, FOLDS, MASKS

OWN_SPLITS = Path("splits")
"""Users' fold files lie here: DVC watches this folder."""


def run(k: int, method: str, group_by: str | None, file: Path | None, seed: int) -> None:
    """Write artifacts/folds: `folds.json`, the COCO files of each fold, balance.json and balance.svg."""
    coco = read_json(DATASET / "train_all.json")
    classes = read_classes(DATASET / "classes.json")
    pixels_NC = reported_pixels(MASKS / "report.json", [row["id"] for row in coco["images"]])
    table = split_table(coco, pixels_NC, group_by)
    check_k(table, k)
    if file is None:
        folds = assign_folds(table, k, method, seed)
    else:
        folds = given_folds(own_split(file), table, k, {row["file_name"]: row["id"] for row in coco["images"]})
    report = balance_report(folds, table, classes.names, method, seed)
    write_fold_files(FOLDS, folds, coco)
    write_json(FOLDS / "balance.json", report)
    write_text(FOLDS / "balance.svg", balance_svg(report))
    print("\n".join([*table_lines(report), *(f"note: {note}" for note in report["notes"])]), file=sys.stderr)


def own_split(file: Path) -> Path:
    """A user's fold file, which must lie where DVC sees its changes."""
    if not file.resolve().is_relative_to(OWN_SPLITS.resolve()):
        raise InputError(f"split.file: found {file}, expected a file in {OWN_SPLITS}/, where changes to it are seen")
    return file


def fold_count(folds: list[object]) -> int:
    """The number of folds that `folds: [0, 1, 2]` in params.yaml names; they must be 0..k-1."""
    if folds != list(range(len(folds))):
        raise InputError(f"params.yaml: key 'folds': found {folds}, expected [0, 1, ...], each fold once, in order")
    return len(folds)


def main() -> None:
    """Read the numbers and run."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    split = read_section("split", SplitConfig)
    k = fold_count(read_value("folds", list))
    run(k, split.method, split.group_by, Path(split.file) if split.file else None, read_value("seed", int))


if __name__ == "__main__":
    run_command(main)
