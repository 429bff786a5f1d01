"""Assembling a dataset: classes from data, ids apart, groups, and faults that stop it."""

import json

import numpy as np
import pytest

from trashseg.classes import VOID, read_classes
from trashseg.data.assemble import assemble
from trashseg.data.coco import load_coco
from trashseg.errors import InputError
from trashseg.evaluation.truth import painted
from trashseg.io import read_json, write_image

TRIANGLE = [[2, 2, 30, 2, 30, 20]]


def picture(seed):
    noise = np.random.default_rng(seed).random((5, 6, 3))
    return np.repeat(np.repeat((255 * noise).astype(np.uint8), 8, 0), 8, 1)


def write(folder, name, images, annotations=(), categories=((10, "Road"), (40, "Car"))):
    rows = {
        "images": [{"width": 48, "height": 40, **image} for image in images],
        "annotations": [{"id": n, "segmentation": TRIANGLE, **row} for n, row in enumerate(annotations, 1)],
        "categories": [{"id": number, "name": text} for number, text in categories],
    }
    (folder / name).write_text(json.dumps(rows))


@pytest.fixture
def root(tmp_path):
    """Four labelled and two other images; ids overlap, image 5 of the test set repeats image 2."""
    folder = tmp_path / "mine"
    for number, seed in {1: 1, 2: 2, 5: 3, 9: 4}.items():
        write_image(folder / "photos" / f"{number}.png", picture(seed))
    for number, seed in {1: 5, 5: 2}.items():
        write_image(folder / "more" / f"{number}.png", picture(seed))
    images = [
        {"id": number, "file_name": f"photos/{number}.png", "place": f"p{number // 4}"} for number in (1, 2, 5, 9)
    ]
    annotations = [{"image_id": 1, "category_id": 40}, {"image_id": 2, "category_id": 10, "area": 7, "bbox": [0] * 4}]
    write(folder, "train.json", images, annotations)
    write(folder, "test.json", [{"id": number, "file_name": f"more/{number}.png"} for number in (1, 5)])
    write(
        folder,
        "labels.json",
        [{"id": number, "file_name": f"more/{number}.png"} for number in (1, 5)],
        [{"image_id": 5, "category_id": 3}],
        [(3, "Car"), (4, "Road")],
    )
    return folder


def build(root, out, **options):
    return assemble(root, out, "train.json", "test.json", "labels.json", jobs=1, **options)


def test_categories_become_contiguous_class_indices(root, tmp_path):
    labels, _ = build(root, tmp_path / "out")
    assert read_classes(tmp_path / "out" / "classes.json").names == ("Background", "Road", "Car")
    train = load_coco(tmp_path / "out" / "train_all.json")
    assert [row["category_id"] for row in train.annotations] == [2, 1]
    assert [row["id"] for row in train.categories] == [1, 2]
    assert [row["category_id"] for row in labels.annotations] == [2], "by name: another file numbers otherwise"


def test_ignored_true_labels_are_no_class_of_the_truth(root, tmp_path):
    labels, ignored = build(root, tmp_path / "out", ignore_categories=["Car"])
    assert labels.annotations == []
    document = {"images": labels.images, "annotations": [], "ignored_annotations": ignored}
    truths = painted(document, tmp_path / "labels.json")
    assert set(np.unique(truths[15]())) == {0, VOID}


def test_missing_area_and_bbox_are_filled_and_given_ones_kept(root, tmp_path):
    build(root, tmp_path / "out")
    first, second = load_coco(tmp_path / "out" / "train_all.json").annotations
    assert first["area"] > 200
    assert first["bbox"] == [3, 2, 27, 18]
    assert first["iscrowd"] == 0
    assert (second["area"], second["bbox"]) == (7, [0] * 4)


def test_test_ids_move_off_the_labelled_ones(root, tmp_path):
    labels, _ = build(root, tmp_path / "out")
    test = load_coco(tmp_path / "out" / "test.json")
    assert [(row["id"], row["source_id"]) for row in test.images] == [(11, 1), (15, 5)]
    assert [row["image_id"] for row in labels.annotations] == [15]


def test_groups_join_the_users_key_and_near_duplicates_across_test(root, tmp_path):
    build(root, tmp_path / "out", group_key="place")
    train = load_coco(tmp_path / "out" / "train_all.json")
    test = load_coco(tmp_path / "out" / "test.json")
    groups = {row["id"]: row["group"] for row in [*train.images, *test.images]}
    assert groups == {1: "1", 2: "1", 5: "5", 9: "9", 11: "11", 15: "1"}
    report = read_json(tmp_path / "out" / "report.json")
    assert report["near_duplicates_across_test"] == 1
    assert report["near_duplicates"] == [{"images": [2, 15], "bits": 0}]


def test_images_without_a_value_are_of_no_common_group(root, tmp_path):
    value = read_json(root / "train.json")
    for image, place in zip(value["images"], ("a", None, None, "a"), strict=True):
        image["place"] = place
    (root / "train.json").write_text(json.dumps(value))
    build(root, tmp_path / "out", group_key="place")
    groups = {row["id"]: row["group"] for row in load_coco(tmp_path / "out" / "train_all.json").images}
    assert groups == {1: "1", 2: "2", 5: "5", 9: "1"}


def test_an_unknown_group_key_is_named(root, tmp_path):
    with pytest.raises(InputError, match=r"no image has the key 'plaice'.*did you mean 'place'"):
        build(root, tmp_path / "out", group_key="plaice")


def test_ignored_categories_are_kept_apart_and_never_background(root, tmp_path):
    assemble(root, tmp_path / "out", "train.json", None, None, ignore_categories=["road"], jobs=1)
    value = read_json(tmp_path / "out" / "train_all.json")
    assert read_classes(tmp_path / "out" / "classes.json").names == ("Background", "Car")
    assert [row["image_id"] for row in value["annotations"]] == [1]
    assert [row["image_id"] for row in value["ignored_annotations"]] == [2]


def test_images_are_the_users_bytes_and_the_originals_stay(root, tmp_path):
    before = (root / "photos" / "1.png").stat()
    for how in ("copy", "symlink"):
        build(root, tmp_path / how, images=how)
        placed = tmp_path / how / "images" / "photos" / "1.png"
        assert placed.is_symlink() == (how == "symlink")
        assert placed.read_bytes() == (root / "photos" / "1.png").read_bytes()
    after = (root / "photos" / "1.png").stat()
    assert (before.st_ino, before.st_mode, before.st_nlink) == (after.st_ino, after.st_mode, after.st_nlink)


def test_faulty_files_stop_with_their_names(root, tmp_path):
    (root / "photos" / "9.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"train\.json: image 9: .*9\.png cannot be decoded"):
        build(root, tmp_path / "out")
    (root / "photos" / "9.png").unlink()
    with pytest.raises(InputError, match=r"image 9: .*9\.png is no file"):
        build(root, tmp_path / "out")
    write_image(root / "photos" / "9.png", picture(1)[:20])
    with pytest.raises(InputError, match=r"9\.png is 48 x 20 px, expected 48 x 40"):
        build(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_oddities_are_counted_in_the_report(root, tmp_path):
    build(root, tmp_path / "out")
    warnings = read_json(tmp_path / "out" / "report.json")["warnings"]
    assert [(row["kind"], row["subject"]) for row in warnings] == [("area-mismatch", "annotation 2 of image 2")]


def test_labels_of_other_images_are_refused(root, tmp_path):
    write(root, "labels.json", [{"id": 77, "file_name": "x.png"}])
    with pytest.raises(InputError, match=r"labels\.json: its 1 images are not the 2 test images"):
        build(root, tmp_path / "out")
