"""Stage `dataset`: one checked COCO dataset from whatever `data.source` names."""

import argparse
import os
import shutil
from pathlib import Path

from trashseg.config import read_section, read_value
from trashseg.data.assemble import assemble
from trashseg.data.coco import write_coco
from trashseg.data.config import DataConfig, SampleConfig
from trashseg.data.sample import draw_sample
from trashseg.data.taco.prepare import prepare_taco
from trashseg.data.taco.table import TABLE
from trashseg.errors import run_command
from trashseg.io import write_json
from trashseg.paths import DATASET, TEST_LABELS


def run(data: DataConfig, sample: SampleConfig, seed: int) -> None:
    """Build artifacts/dataset and artifacts/test_labels.json; on a fault nothing there changes."""
    work = DATASET.with_name(f".{DATASET.name}.{os.getpid()}")
    made = work.with_name(f"{work.name}.source")
    try:
        if data.source == "sample":
            draw_sample(made, seed=seed, jobs=data.jobs, **sample.model_dump())
            _assemble(data.model_copy(update={**MADE_FILES, "group_key": "scene"}), made, work)
        elif data.source == "taco":
            _prepare_taco(data, made, seed)
            _assemble(data.model_copy(update={**MADE_FILES, "group_key": data.group_key or "batch"}), made, work)
        else:
            _assemble(data, Path(data.root), work)
        shutil.rmtree(DATASET, ignore_errors=True)
        work.replace(DATASET)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(made, ignore_errors=True)


MADE_FILES = {
    "train_json": "train_all.json",
    "test_json": "test.json",
    "test_labels_json": "test_labels.json",
    "images": "copy",
}
"""What the sample and TACO's importer write, whatever `data` says of files."""

CONTEST_UNKNOWN = {0: "UNKNOWN"}
"""The contest's public files use category 0 for what nobody could tell, not for background."""


def _prepare_taco(data: DataConfig, out: Path, seed: int) -> None:
    taco = data.taco
    prepare_taco(
        Path(data.root) / "annotations.json",
        Path(taco.photos),
        out,
        seed,
        Path(taco.classes) if taco.classes else TABLE,
        taco.url_key,
        taco.longest_side_px,
        taco.test_fraction,
        taco.max_missing_fraction,
        taco.workers,
        taco.timeout_s,
    )


def _assemble(data: DataConfig, root: Path, work: Path) -> None:
    labels = assemble(
        root,
        work,
        data.train_json,
        data.test_json,
        data.test_labels_json,
        data.group_key,
        data.ignore_categories,
        data.merge_categories,
        CONTEST_UNKNOWN if data.source == "contest" else None,
        data.near_duplicate_bits,
        data.max_megapixels,
        data.images,
        data.jobs,
        Path(data.root) / data.unlabelled if data.unlabelled else None,
    )
    if labels is None:
        write_json(TEST_LABELS, None)
    else:
        known, ignored = labels
        write_coco(TEST_LABELS, known, ignored_annotations=ignored)


def main() -> None:
    """`python -m tasks.dataset`."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    run(read_section("data", DataConfig), read_section("sample", SampleConfig), read_value("seed", int))


if __name__ == "__main__":
    run_command(main)
