"""Masks to text and back, and every way a CSV can be wrong is named."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.evaluation.grid import from_grid, to_grid
from trashseg.evaluation.submission import (
    decode_labels,
    encode_labels,
    read_submission,
    validate_submission,
    write_submission,
)

NAMES = ["batch_01_vt/0002.jpg", "batch_01_vt/0001.jpg"]


@pytest.mark.parametrize("highest", [0, 9, 10, 99, 254])
def test_text_is_what_formatting_number_by_number_gives(highest: int) -> None:
    mask_HW = np.random.default_rng(0).integers(0, highest + 1, (9, 7)).astype(np.uint8)
    text = encode_labels(mask_HW).decode()
    assert text == " ".join(str(value) for value in mask_HW.ravel())
    np.testing.assert_array_equal(decode_labels(text), mask_HW.ravel())


def test_the_grid_of_512_is_every_other_row_and_column() -> None:
    mask_HW = np.random.default_rng(0).integers(0, 11, (512, 512)).astype(np.uint8)
    np.testing.assert_array_equal(to_grid(mask_HW), mask_HW[::2, ::2])


@pytest.mark.parametrize("shape", [(96, 96), (300, 421), (1, 1)])
def test_any_size_fits_the_grid(shape: tuple[int, int]) -> None:
    assert to_grid(np.full(shape, 3, np.uint8)).tolist() == np.full((256, 256), 3).tolist()


@pytest.mark.parametrize("shape", [(96, 128), (300, 256), (512, 512), (1, 700)])
def test_the_way_back_from_the_grid(shape: tuple[int, int]) -> None:
    mask_HW = np.random.default_rng(0).integers(0, 11, shape).astype(np.uint8)
    grid_HW = to_grid(mask_HW)
    back_HW = from_grid(grid_HW, *shape)
    assert back_HW.shape == shape
    if max(shape) <= 256:
        np.testing.assert_array_equal(back_HW, mask_HW)
    if min(shape) >= 256:
        np.testing.assert_array_equal(to_grid(back_HW), grid_HW)


def written(path: Path) -> list[NDArray[np.uint8]]:
    """A submission of two 8x8 masks, on a grid of 4."""
    masks = [np.random.default_rng(i).integers(0, 11, (8, 8)).astype(np.uint8) for i in range(2)]
    write_submission(path, NAMES, lambda row: masks[row], side=4)
    return masks


def test_what_is_written_is_valid_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    masks = written(path)
    validate_submission(path, NAMES, classes=11, side=4)
    for (name, mask_HW), expected_name, expected_HW in zip(read_submission(path, 11, 4), NAMES, masks, strict=True):
        assert name == expected_name
        np.testing.assert_array_equal(mask_HW, expected_HW[::2, ::2])


def test_names_with_commas_and_quotes_survive(tmp_path: Path) -> None:
    path, names = tmp_path / "submission.csv", ['a,"b".jpg']
    write_submission(path, names, lambda row: np.zeros((4, 4), np.uint8), side=4)
    validate_submission(path, names, classes=1, side=4)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("image_id,", "id,", r"first line is .*expected image_id,PredictionString"),
        ("0002", "0003", r"row 1 is batch_01_vt/0003\.jpg, expected batch_01_vt/0002\.jpg"),
        ("0002.jpg,", "0002.jpg,7 ", "17 integers, expected 16"),
        ("0002.jpg,", "0002.jpg,-", "other characters than digits"),
        ("0002.jpg,", "0002.jpg, ", "two spaces in a row"),
        ("0002.jpg,", "0002.jpg,1", r"found class 1\d+, expected 0\.\.10"),
        ("0002.jpg,", "0002.jpg,1111", "more than three digits"),
        ("0002.jpg,", "0002.jpg,1,", "3 columns, expected 2"),
        ("\nbatch_01_vt/0001.jpg,", "\nbatch_01_vt/0001.jpg,é", "found"),
    ],
)
def test_broken_files_are_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = tmp_path / "submission.csv"
    written(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=sentence):
        validate_submission(path, NAMES, classes=11, side=4)


def test_too_few_and_too_many_rows_are_told(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    written(path)
    with pytest.raises(InputError, match="2 rows, expected 3"):
        validate_submission(path, [*NAMES, "more.jpg"], classes=11, side=4)
    with pytest.raises(InputError, match=r"row 2 is batch_01_vt/0001\.jpg, expected 1 rows"):
        validate_submission(path, NAMES[:1], classes=11, side=4)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        validate_submission(tmp_path / "gone.csv", NAMES, classes=11)
