"""Stage `masks`: an index mask PNG for each labelled image, and a report of what was painted and mended."""

import argparse

from trashseg.classes import read_classes
from trashseg.config import read_section
from trashseg.data.config import MasksConfig
from trashseg.data.mask_files import read_for_masks, write_masks
from trashseg.errors import run_command
from trashseg.paths import DATASET, MASKS, mask_name


def run(masks: MasksConfig) -> None:
    """Build artifacts/masks from artifacts/dataset."""
    classes = read_classes(DATASET / "classes.json")
    coco, ignored = read_for_masks(DATASET / "train_all.json")
    names = [mask_name(image["id"]) for image in coco.images]
    write_masks(coco, ignored, names, MASKS, classes, masks.seam_repair, masks.crowd, masks.jobs)


def main() -> None:
    """`python -m tasks.masks`."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    run(read_section("masks", MasksConfig))


if __name__ == "__main__":
    run_command(main)
