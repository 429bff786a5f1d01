"""Splits: balance and no leak for any table, every method; a user's own split; the three labels."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trashseg.data.balance import balance_report, shares, table_lines, unavoidable
from trashseg.data.split import METHODS, assign_folds, given_folds
from trashseg.data.split_greedy import Dealt, greedy_folds, weighted_shares
from trashseg.data.split_table import SplitTable, group_codes, rarest_class, split_table, three_labels
from trashseg.errors import InputError
from trashseg.io import write_json

CLASSES = 4


@st.composite
def tables(draw: st.DrawFn) -> SplitTable:
    """Up to 24 images of 4 classes, in groups of a few."""
    images = draw(st.integers(4, 24))
    groups = draw(st.lists(st.integers(0, images), min_size=images, max_size=images))
    counts = draw(st.lists(st.integers(0, 5), min_size=images * CLASSES, max_size=images * CLASSES))
    annotations_NC = np.array(counts).reshape(images, CLASSES)
    scale = draw(st.integers(1, 10_000))
    codes = np.unique(groups, return_inverse=True)[1]
    return SplitTable(tuple(range(10, 10 + images)), codes, annotations_NC, annotations_NC * scale)


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(2, 5), st.sampled_from(sorted(METHODS)), st.integers(0, 3))
def test_every_image_is_held_out_once_and_no_group_straddles(table: SplitTable, k: int, method: str, seed: int) -> None:
    if table.group_count < k:
        with pytest.raises(InputError, match=f"{k} folds of"):
            assign_folds(table, k, method, seed)
        return
    if method == "iterstrat":
        pytest.importorskip("iterstrat")
    folds = assign_folds(table, k, method, seed)
    assert set(folds.assignment) == set(table.image_ids)
    assert folds == assign_folds(table, k, method, seed)
    folds_N = np.array([folds.assignment[image] for image in table.image_ids])
    for group in range(table.group_count):
        assert len(set(folds_N[table.groups_N == group].tolist())) == 1
    if method != "iterstrat":
        assert set(folds_N.tolist()) == set(range(k))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(2, 5), st.integers(0, 3))
def test_rare_classes_are_spread_as_evenly_as_arithmetic_allows(per_class: list[int], k: int, seed: int) -> None:
    of_image = np.repeat(np.arange(len(per_class)), per_class)
    if len(of_image) < k:
        return
    annotations_NC = np.eye(len(per_class), dtype=np.int64)[of_image]
    table = SplitTable(tuple(range(len(of_image))), np.arange(len(of_image)), annotations_NC, 100 * annotations_NC)
    folds = assign_folds(table, k, "greedy", seed)
    folds_N = np.array([folds.assignment[image] for image in table.image_ids])
    images_KC = np.stack([annotations_NC[folds_N == fold].sum(axis=0) for fold in range(k)])
    assert (np.ptp(images_KC, axis=0) <= 1).all()


def test_greedy_is_far_more_even_than_the_others() -> None:
    rng = np.random.default_rng(0)
    pixels_NC = (rng.random((300, 5)) < [1, 0.5, 0.3, 0.1, 0.05]) * rng.lognormal(7, 1.2, (300, 5))
    pixels_NC = pixels_NC.astype(np.int64)
    table = SplitTable(tuple(range(300)), np.arange(300), (pixels_NC > 0).astype(np.int64), pixels_NC)
    worst = {
        method: shares(assign_folds(table, 5, method, 0), table, tuple("abcde"))["worst"]["deviation"]
        for method in METHODS
    }
    assert worst["greedy"] <= 0.25 * min(worst["iterstrat"], worst["stratified"], worst["kfold"])


@pytest.mark.parametrize("seed", range(6))
def test_a_few_groups_are_dealt_as_well_as_can_be(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels_NC = (rng.random((10, 4)) < [1, 0.7, 0.5, 0.3]) * rng.lognormal(7, 1.5, (10, 4)).astype(np.int64)
    table = SplitTable(tuple(range(10)), np.arange(10), (pixels_NC > 0).astype(np.int64), pixels_NC)
    shares_GF = weighted_shares(table)
    every = [np.array([0, *deal]) for deal in product((0, 1), repeat=9) if any(deal)]
    least = min(Dealt(shares_GF, folds_G, 2).cost() for folds_G in every)
    assert Dealt(shares_GF, greedy_folds(table, 2, seed), 2).cost() == pytest.approx(least)


def test_unavoidable_is_what_one_heavy_image_forces() -> None:
    pixels_NC = np.array([[80, 5], [10, 5], [10, 0]])
    table = SplitTable((1, 2, 3), np.arange(3), (pixels_NC > 0).astype(np.int64), pixels_NC)
    np.testing.assert_allclose(unavoidable(table, 2), [0.3, 0.0])
    np.testing.assert_allclose(unavoidable(table, 3), [0.8 - 1 / 3, 1 / 3])


def test_report_tells_of_classes_that_cannot_be_everywhere() -> None:
    pixels_NC = np.array([[9, 5, 0], [9, 0, 0], [9, 0, 0]])
    table = SplitTable((1, 2, 3), np.arange(3), (pixels_NC > 0).astype(np.int64), pixels_NC)
    report = balance_report(assign_folds(table, 3, "greedy", 0), table, ("a", "b", "c"), "greedy", 0)
    assert report["notes"] == [
        "class 'b' is in 1 images of 1 groups, fewer than the 3 folds: 2 folds are validated without it",
        "class 'c' has no pixels: no fold can be scored on it",
    ]
    assert any("absent" in line for line in table_lines(report))


def test_three_labels_are_indicators_of_rarest_class_and_both_numbers() -> None:
    annotations_NC = np.array([[0, 3, 1], [0, 2, 0], [0, 0, 0], [0, 4, 0]])
    assert rarest_class(annotations_NC).tolist() == [2, 1, 0, 1]
    labels_NL = three_labels(annotations_NC)
    assert labels_NL.sum(axis=1).tolist() == [3, 3, 3, 3]
    assert set(np.unique(labels_NL)) == {0, 1}


def test_groups_by_any_key_and_images_without_it() -> None:
    images = [{"id": 1, "video": "a"}, {"id": 2, "video": None}, {"id": 3, "video": "a"}, {"id": 4}]
    assert group_codes(images, "video").tolist() == [0, 1, 0, 2]
    assert group_codes(images, None).tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="no image row has the key 'vidio'; expected one of 'id', 'video'"):
        group_codes(images, "vidio")


def tiny() -> SplitTable:
    coco = {"images": [{"id": i, "g": i // 2} for i in range(4)], "annotations": [{"image_id": 1, "category_id": 1}]}
    return split_table(coco, np.ones((4, 2), np.int64), "g")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"0": 0, "1": 0, "2": 1}, "1 labelled images have no fold, such as image 3"),
        ({"0": 0, "1": 0, "2": 1, "9": 1}, "image '9' is not among the labelled images"),
        ({"0": 0, "1": 0, "2": 1, "3": 2}, "image '3' is in fold 2, expected one of 0..1"),
        ({"0": 0, "1": 0, "2": 0, "3": 0}, "fold 1 holds no image"),
        ({"0": 0, "1": 1, "2": 1, "3": 1}, "images 0 and 1 are of one group"),
        ({"0": 0, "1": 0, "2": 1, "3": True}, "in fold True"),
        ([0, 1], "found list"),
    ],
)
def test_own_split_is_checked(tmp_path: Path, own: object, message: str) -> None:
    write_json(tmp_path / "own.json", own)
    with pytest.raises(InputError, match=message):
        given_folds(tmp_path / "own.json", tiny(), 2, {})


def test_own_split_by_validation_files_made_elsewhere(tmp_path: Path) -> None:
    names = {f"{i}.jpg": i for i in range(4)}
    for fold, held in enumerate((["2.jpg", "3.jpg"], ["0.jpg", "1.jpg"])):
        rows = [{"id": 900 + at, "file_name": name} for at, name in enumerate(held)]
        write_json(tmp_path / f"kfold_{fold}_val.json", {"images": rows})
    assert given_folds(tmp_path, tiny(), 2, names).assignment == {0: 1, 1: 1, 2: 0, 3: 0}
    with pytest.raises(InputError, match=r"kfold_2_val\.json: no such file"):
        given_folds(tmp_path, tiny(), 3, names)
    write_json(tmp_path / "kfold_1_val.json", {"images": [{"file_name": "2.jpg"}]})
    with pytest.raises(InputError, match=r"image '2\.jpg' is held out in fold 0, too"):
        given_folds(tmp_path, tiny(), 2, names)
    write_json(tmp_path / "kfold_1_val.json", [1])
    with pytest.raises(InputError, match="expected a COCO file with images"):
        given_folds(tmp_path, tiny(), 2, names)


def test_own_split_by_id_name_or_our_own_file(tmp_path: Path) -> None:
    names = {f"{i}.jpg": i for i in range(4)}
    for own in (
        {"0": 1, "1": 1, "2": 0, "3": 0},
        {"0.jpg": 1, "1.jpg": 1, "2.jpg": 0, "3.jpg": 0},
        {"k": 2, "assignment": {"0": 1, "1": 1, "2": 0, "3": 0}},
    ):
        write_json(tmp_path / "own.json", own)
        assert given_folds(tmp_path / "own.json", tiny(), 2, names).assignment == {0: 1, 1: 1, 2: 0, 3: 0}
