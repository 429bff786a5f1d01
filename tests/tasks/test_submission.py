"""The CSV is the contest's, byte for byte, of the chosen round, in the order of test.json."""

from pathlib import Path

import numpy as np
import pytest

from tasks import submission
from trashseg import paths
from trashseg.classes import CONTEST
from trashseg.errors import InputError
from trashseg.io import read_json, write_json, write_mask


def finish(masks: dict[int, np.ndarray]) -> None:
    """The artefacts of a chosen, refined round r1."""
    write_json(paths.SELECT / "selected.json", {"round": "r1", "step": "crf"})
    for image_id, mask_HW in masks.items():
        write_mask(paths.refine("r1") / "test" / f"{image_id}.png", mask_HW, CONTEST.palette())


def test_the_file_is_byte_exact(tiny_round: Path) -> None:
    rng = np.random.default_rng(0)
    masks = {image_id: rng.integers(0, 11, (512, 512)).astype(np.uint8) for image_id in (4, 7)}
    finish(masks)
    submission.run(256)
    rows = [
        f"{image['file_name']}," + " ".join(str(v) for v in masks[image["id"]][::2, ::2].ravel())
        for image in read_json(paths.DATASET / "test.json")["images"]
    ]
    expected = "image_id,PredictionString\n" + "\n".join(rows) + "\n"
    assert (paths.SUBMISSION / "submission.csv").read_bytes() == expected.encode()


def test_a_missing_mask_leaves_no_half_file(tiny_round: Path) -> None:
    finish({7: np.zeros((48, 48), np.uint8)})
    with pytest.raises(InputError, match=r"4\.png: no such mask"):
        submission.run(256)
    assert list(paths.SUBMISSION.glob("*")) == []
