"""Files are written whole or not at all, and read with errors that name them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trashseg.classes import CONTEST
from trashseg.errors import InputError
from trashseg.io import atomic, read_image, read_json, read_mask, write_image, write_json, write_mask


def test_a_mask_comes_back_as_written_and_shows_its_palette(tmp_path: Path) -> None:
    mask_HW = np.random.default_rng(0).integers(0, 256, (17, 33), dtype=np.uint8)
    path = tmp_path / "a" / "1.png"
    write_mask(path, mask_HW, CONTEST.palette())
    np.testing.assert_array_equal(read_mask(path), mask_HW)
    with Image.open(path) as image:
        colours_HWC = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(colours_HWC, CONTEST.palette()[mask_HW])


@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
def test_a_photo_comes_back_in_rgb_order(tmp_path: Path, name: str) -> None:
    image_HWC = np.zeros((16, 24, 3), np.uint8)
    image_HWC[..., 0] = 200
    write_image(tmp_path / name, image_HWC)
    np.testing.assert_allclose(read_image(tmp_path / name).mean((0, 1)), [200, 0, 0], atol=3)


def test_exif_rotation_is_not_applied_because_labels_are_drawn_on_stored_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (24, 16)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").shape == (16, 24, 3)


def test_an_error_while_writing_keeps_the_earlier_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"kept": 1})
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"kept": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_one_sentence_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.json: expected JSON"):
        read_json(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for read in (read_json, read_image, read_mask):
        with pytest.raises(InputError, match=r"gone\.png: no such"):
            read(tmp_path / "gone.png")


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("not a picture")
    for read in (read_image, read_mask):
        with pytest.raises(InputError, match=r"text\.png: cannot be decoded"):
            read(path)


def test_a_colour_image_is_no_mask(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match="found mode RGB"):
        read_mask(tmp_path / "photo.png")
