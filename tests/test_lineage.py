"""Nothing derived from a validation image, or a near-duplicate of one, is trained on."""

from pathlib import Path

import pytest

from trashseg.errors import InputError
from trashseg.lineage import Lineage, read_lineage, refuse_leaks, write_lineage

GROUPS = {1: "a", 2: "a", 3: "b", 4: "c"}


def test_lineage_comes_back_as_written(tmp_path: Path) -> None:
    lineage = Lineage(2, {10: (1, 3), 11: (3,)})
    write_lineage(tmp_path / "lineage.json", lineage)
    assert read_lineage(tmp_path / "lineage.json") == lineage


def test_training_images_of_other_groups_pass() -> None:
    refuse_leaks(Lineage(0, {10: (3, 4)}), Path("set"), 0, {1}, GROUPS)


@pytest.mark.parametrize(
    ("lineage", "sentence"),
    [
        (Lineage(1, {}), "made for fold 1, expected fold 0"),
        (Lineage(0, {10: (3, 1)}), "image 10 is derived from image 1 of validation fold 0"),
        (Lineage(0, {10: (2,)}), r"image 10 is derived from image 2, a near-duplicate \(group 'a'\)"),
    ],
)
def test_a_leak_is_refused_and_named(lineage: Lineage, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        refuse_leaks(lineage, Path("set"), 0, {1}, GROUPS)


@pytest.mark.parametrize("content", ["[]", "{}", '{"fold": 0, "images": {"x": [1]}}', '{"fold": 0, "images": []}'])
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lineage.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"lineage\.json: expected"):
        read_lineage(path)
