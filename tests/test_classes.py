"""Classes are data: names and colours by index."""

from pathlib import Path

import pytest

from trashseg.classes import CONTEST, VOID, named, read_classes, voc_colour, write_classes
from trashseg.errors import InputError


def test_the_contest_has_eleven_classes_and_its_own_colours() -> None:
    assert len(CONTEST) == 11
    assert CONTEST.palette()[9].tolist() == [64, 64, 128]
    assert CONTEST.palette()[VOID].tolist() == [255, 255, 255]


def test_voc_colours_are_the_published_ones() -> None:
    assert [voc_colour(i) for i in (0, 1, 2, 15)] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (192, 128, 128)]


def test_other_names_take_other_colours_and_come_back_as_written(tmp_path: Path) -> None:
    street = named(("Background", "Road", "Sky"))
    write_classes(tmp_path / "classes.json", street)
    assert read_classes(tmp_path / "classes.json") == street


def test_a_subset_keeps_the_contests_colours() -> None:
    assert named(("Background", "Battery")).colours == ((0, 0, 0), (64, 64, 128))


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(InputError, match="'Batery' is unknown"):
        CONTEST.index("Batery")


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('{"names": []}')
    with pytest.raises(InputError, match=r"classes\.json: expected a list"):
        read_classes(tmp_path / "classes.json")
