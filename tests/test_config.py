"""params.yaml: typed sections, and errors that name the key and the nearest known one."""

from pathlib import Path

import pytest
from pydantic import Field

from trashseg.config import Section, load, read_section, read_value
from trashseg.errors import InputError


class Masks(Section):
    seam_repair: bool = True
    window_px: int = Field(5, ge=3)


def params(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_a_section_is_read_and_missing_keys_take_their_defaults(tmp_path: Path) -> None:
    section = read_section("masks", Masks, params(tmp_path, "masks: {seam_repair: false}"))
    assert section == Masks(seam_repair=False, window_px=5)


def test_a_dotted_section_is_read(tmp_path: Path) -> None:
    path = params(tmp_path, "networks: {unet: {window_px: 7}}")
    assert read_section("networks.unet", Masks, path).window_px == 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("maks: {}", r"unknown key 'maks' \(did you mean 'masks'\?\)"),
        ("masks: {seam_repiar: true}", r"unknown key 'masks.seam_repiar' \(did you mean 'seam_repair'\?\)"),
        ("masks: {window_px: 1}", r"key 'masks.window_px': input should be greater than or equal to 3, found 1"),
        ("masks: {window_px: wide}", r"key 'masks.window_px': .*found 'wide'"),
        ("masks: [1]", r"key 'masks': .*found \[1\]"),
        ("masks: {", r"expected YAML"),
        ("- masks", r"expected sections such as 'data:', found list"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        read_section("masks", Masks, params(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "params.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"params\.yaml: no such file"):
        load(tmp_path / "params.yaml")


def test_plain_values_are_checked_for_their_type(tmp_path: Path) -> None:
    assert read_value("seed", int, params(tmp_path, "seed: 3")) == 3
    for text in ("seed: true", "seed: x", "folds: []"):
        with pytest.raises(InputError, match="key 'seed'"):
            read_value("seed", int, params(tmp_path, text))
