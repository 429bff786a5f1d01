"""Stage submission: the chosen round's test masks as the contest's CSV, checked after writing."""

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import read_section
from trashseg.errors import run_command
from trashseg.evaluation.config import SubmissionConfig
from trashseg.evaluation.submission import validate_submission, write_submission
from trashseg.io import read_json, read_mask
from trashseg.progress import track


def run(side: int) -> None:
    """Write `artifacts/submission/submission.csv`: a row for each image of test.json, in its order."""
    classes = read_classes(paths.DATASET / "classes.json")
    images = read_json(paths.DATASET / "test.json")["images"]
    selected = read_json(paths.SELECT / "selected.json")
    folder = paths.refine(selected["round"]) / "test"

    def mask_of(row: int) -> NDArray[np.uint8]:
        return read_mask(folder / paths.mask_name(int(images[row]["id"])))

    path = paths.SUBMISSION / "submission.csv"
    names = [str(image["file_name"]) for image in images]
    write_submission(path, track(names, "submission", len(names)), mask_of, side)
    validate_submission(path, names, len(classes), side)
    print(f"submission: {path}, {len(names)} images of round {selected['round']}")


def main() -> None:
    """Command line: python -m tasks.submission."""
    run(read_section("submission", SubmissionConfig).side)


if __name__ == "__main__":
    run_command(main)
