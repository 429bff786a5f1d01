"""Stage `oversample`: objects of rare classes onto simple images, from a fold's training images alone."""

import argparse
import sys

from trashseg.classes import read_classes
from trashseg.config import read_section, read_value
from trashseg.data.scenes import scene_files
from trashseg.data.synthesis_config import OversampleConfig
from trashseg.data.synthetic_stages import Labelled, make_oversampled
from trashseg.errors import run_command
from trashseg.io import read_json
from trashseg.paths import DATASET, FOLDS, MASKS, oversample


def run(fold: int, config: OversampleConfig, seed: int, jobs: int = 0) -> None:
    """Write artifacts/oversample/{fold}; it is empty where the fold has no object worth pasting."""
    coco = read_json(FOLDS / f"kfold_{fold}_train.json")
    labelled = Labelled(
        files=scene_files(coco, DATASET / "images", MASKS),
        classes=read_classes(DATASET / "classes.json"),
        taken_ids=[
            row["id"] for part in ("train_all", "test") for row in read_json(DATASET / f"{part}.json")["images"]
        ],
        fold=fold,
        out=oversample(fold),
    )
    print(make_oversampled(labelled, config, seed, jobs), file=sys.stderr)


def main() -> None:
    """Read the fold and the numbers, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fold", type=int, required=True, help="the fold whose training images are used, such as 0")
    run(parser.parse_args().fold, read_section("oversample", OversampleConfig), read_value("seed", int))


if __name__ == "__main__":
    run_command(main)
