"""The folds stage, run on a dataset of twelve images in seven groups."""

from pathlib import Path

import pytest

from tasks import folds
from trashseg.data.folds import read_folds
from trashseg.errors import InputError
from trashseg.io import read_json, write_json
from trashseg.paths import DATASET, FOLDS


def run(k: int = 3, method: str = "greedy", group_by: str | None = "group", file: Path | None = None) -> None:
    folds.run(k, method, group_by, file, seed=0)


@pytest.mark.parametrize("method", ["greedy", "iterstrat", "stratified", "kfold"])
def test_every_image_is_held_out_once_and_no_group_is_torn(labelled: Path, method: str) -> None:
    run(method=method)
    split = read_folds(FOLDS / "folds.json")
    rows = read_json(DATASET / "train_all.json")["images"]
    assert set(split.assignment) == {row["id"] for row in rows}
    assert {split.k, *split.assignment.values()} == {0, 1, 2, 3}
    for a in rows:
        for b in rows:
            assert a["group"] != b["group"] or split.assignment[a["id"]] == split.assignment[b["id"]]


def test_coco_files_of_a_fold_part_the_dataset(labelled: Path) -> None:
    run()
    everything = read_json(DATASET / "train_all.json")
    for fold in range(3):
        train, val = (read_json(FOLDS / f"kfold_{fold}_{part}.json") for part in ("train", "val"))
        for key in ("images", "annotations"):
            assert sorted(row["id"] for row in train[key] + val[key]) == sorted(row["id"] for row in everything[key])
        assert {row["image_id"] for row in val["annotations"]} <= {row["id"] for row in val["images"]}


def test_balance_names_other_methods_and_absent_classes(labelled: Path) -> None:
    run()
    report = read_json(FOLDS / "balance.json")
    assert list(report["methods"]) == ["greedy", "stratified", "kfold"]
    assert report["methods"]["greedy"]["worst"]["deviation"] <= report["methods"]["kfold"]["worst"]["deviation"]
    assert "class 'Battery' has no pixels: no fold can be scored on it" in report["notes"]
    assert (FOLDS / "balance.svg").read_text().startswith("<svg")


def test_the_same_seed_gives_the_same_bytes(labelled: Path) -> None:
    run()
    first = {path.name: path.read_bytes() for path in FOLDS.iterdir()}
    run()
    assert first == {path.name: path.read_bytes() for path in FOLDS.iterdir()}


def test_own_split_by_file_name(labelled: Path) -> None:
    rows = read_json(DATASET / "train_all.json")["images"]
    own = {row["file_name"]: int(row["group"][1:]) % 3 for row in rows}
    write_json(Path("splits/mine.json"), own)
    run(method="given", file=Path("splits/mine.json"))
    assert read_folds(FOLDS / "folds.json").assignment == {row["id"]: own[row["file_name"]] for row in rows}


def test_own_split_outside_the_watched_folder_is_refused(labelled: Path) -> None:
    write_json(Path("mine.json"), {})
    with pytest.raises(InputError, match="expected a file in splits/"):
        run(method="given", file=Path("mine.json"))


def test_more_folds_than_groups_are_explained(labelled: Path) -> None:
    with pytest.raises(InputError, match=r"8 folds of 7 groups .* may not straddle"):
        run(k=8)
    with pytest.raises(InputError, match="13 folds of 12 labelled images"):
        run(k=13)


@pytest.mark.parametrize("folds_value", [[1, 2], [0, 0], ["0"]])
def test_folds_in_params_count_from_zero(folds_value: list[object]) -> None:
    with pytest.raises(InputError, match=r"expected \[0, 1, ...\]"):
        folds.fold_count(folds_value)
