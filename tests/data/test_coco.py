"""COCO files: sound ones are read, and every kind of fault is a finding that names file and id."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trashseg.data.coco import load_coco, read_coco, write_coco
from trashseg.data.coco_checks import check_and_keep, check_coco
from trashseg.data.segmentation import mask_of, rle_of
from trashseg.errors import InputError

SOUND = {
    "images": [
        {"id": 7, "file_name": "a/1.jpg", "width": 20, "height": 10},
        {"id": 3, "file_name": "a/2.jpg", "width": 20, "height": 10},
    ],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 9, 1, 9]], "area": 64},
        {"id": 2, "image_id": 3, "category_id": 5, "segmentation": [[1, 1, 4, 1, 4, 4]], "iscrowd": 0},
    ],
    "categories": [{"id": 5, "name": "Metal"}],
}


def changed(section, position, **values):
    value = copy.deepcopy(SOUND)
    value[section][position].update(values)
    return value


def without(*keys):
    return {key: value for key, value in SOUND.items() if key not in keys}


HOSTILE = {
    "text": ("a string", "not-coco"),
    "list": ([], "not-coco"),
    "null": (None, "not-coco"),
    "no images": (without("images"), "not-coco"),
    "no categories": (without("categories"), "not-coco"),
    "images is an object": ({**SOUND, "images": {}}, "not-coco"),
    "rows are numbers": ({**SOUND, "annotations": [1, 2]}, "not-coco"),
    "image without id": ({**SOUND, "images": [{"file_name": "x.jpg"}]}, "bad-id"),
    "text id": (changed("images", 0, id="7"), "bad-id"),
    "boolean id": (changed("images", 0, id=True), "bad-id"),
    "list id": (changed("images", 0, id=[1]), "bad-id"),
    "negative id": (changed("images", 0, id=-1), "bad-id"),
    "huge id": (changed("images", 0, id=10**300), "bad-id"),
    "image id twice": (changed("images", 0, id=3), "duplicate-id"),
    "annotation id twice": (changed("annotations", 0, id=2), "duplicate-id"),
    "category id twice": ({**SOUND, "categories": [{"id": 5, "name": "A"}, {"id": 5, "name": "B"}]}, "duplicate-id"),
    "category name twice": (
        {**SOUND, "categories": [{"id": 5, "name": "A"}, {"id": 6, "name": "A"}]},
        "duplicate-name",
    ),
    "category without name": ({**SOUND, "categories": [{"id": 5}]}, "bad-name"),
    "file twice": (changed("images", 0, file_name="a/./2.jpg"), "duplicate-file"),
    "no file name": (changed("images", 0, file_name=None), "bad-file-name"),
    "parent folder": (changed("images", 0, file_name="../../etc/passwd"), "path-escape"),
    "absolute": (changed("images", 0, file_name="/etc/passwd"), "path-escape"),
    "backslashes": (changed("images", 0, file_name="..\\..\\x.jpg"), "path-escape"),
    "drive": (changed("images", 0, file_name="C:\\x.jpg"), "path-escape"),
    "zero byte": (changed("images", 0, file_name="a\0.jpg"), "path-escape"),
    "no size": ({**SOUND, "images": [{"id": 3, "file_name": "x.jpg"}]}, "bad-size"),
    "zero size": (changed("images", 1, width=0), "bad-size"),
    "fraction of a pixel": (changed("images", 1, width=10.5), "bad-size"),
    "bomb": (changed("images", 1, width=60000, height=60000), "too-large"),
    "unknown image": (changed("annotations", 0, image_id=99), "unknown-image"),
    "no image": (changed("annotations", 0, image_id=None), "unknown-image"),
    "list for an image": (changed("annotations", 0, image_id=[3]), "unknown-image"),
    "unknown category": (changed("annotations", 0, category_id=1), "unknown-category"),
    "dictionary for a category": (changed("annotations", 0, category_id={}), "unknown-category"),
    "crowd": (changed("annotations", 0, iscrowd="yes"), "bad-crowd"),
    "no segmentation": (changed("annotations", 0, segmentation=None), "bad-segmentation"),
    "empty": (changed("annotations", 0, segmentation=[]), "bad-segmentation"),
    "four numbers": (changed("annotations", 0, segmentation=[[1, 1, 4, 4]]), "bad-segmentation"),
    "odd": (changed("annotations", 0, segmentation=[[1, 1, 4, 4, 5]]), "bad-segmentation"),
    "nan": (changed("annotations", 0, segmentation=[[1, 1, 4, 4, 5, float("nan")]]), "bad-segmentation"),
    "infinite": (changed("annotations", 0, segmentation=[[1, 1, 4, 4, 5, float("inf")]]), "bad-segmentation"),
    "far away": (changed("annotations", 0, segmentation=[[1, 1, 4, 4, 5, 1e18]]), "bad-segmentation"),
    "rle too short": (changed("annotations", 0, segmentation={"size": [10, 20], "counts": [3]}), "bad-segmentation"),
    "rle of another size": (
        changed("annotations", 0, segmentation={"size": [20, 10], "counts": [200]}),
        "bad-segmentation",
    ),
    "rle overflow": (
        changed("annotations", 0, segmentation={"size": [10, 20], "counts": [2**31, 2**31, 200]}),
        "bad-segmentation",
    ),
    "rle garbage": (changed("annotations", 0, segmentation={"size": [10, 20], "counts": "~~~~"}), "bad-segmentation"),
    "nan area": (changed("annotations", 0, area=float("nan")), "bad-area"),
    "text area": (changed("annotations", 0, area="64"), "bad-area"),
    "negative area": (changed("annotations", 0, area=-64), "bad-area"),
}


def test_a_sound_file_has_no_findings(tmp_path):
    assert list(check_coco(SOUND, tmp_path / "x.json", 64)) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_named_not_crashed_on(name, tmp_path):
    value, kind = HOSTILE[name]
    findings = list(check_coco(value, tmp_path / "x.json", 64))
    assert kind in {finding.kind for finding in findings if finding.severity == "error"}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"x\.json: "):
        read_coco(path)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
JUNK = st.recursive(LEAVES, lambda deeper: st.lists(deeper, max_size=8) | st.dictionaries(st.text(max_size=6), deeper))
PLACES = [(section, key) for section in SOUND for key in sorted({key for row in SOUND[section] for key in row})]
PLACES += [("annotations", key) for key in ("iscrowd", "bbox", "counts")]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), st.integers(0, 1), JUNK)
def test_anything_anywhere_is_survived(place, row, junk):
    section, key = place
    value = changed(section, min(row, len(SOUND[section]) - 1), **{key: junk})
    if key == "counts":
        value = changed("annotations", row, segmentation={"size": [10, 20], "counts": junk})
    findings, rows = check_and_keep(value, Path("x.json"), 64)
    json.dumps([finding.row() for finding in findings])
    for annotation in rows.annotations:  # what is kept can be worked with
        height, width = next((i["height"], i["width"]) for i in rows.images if i["id"] == annotation["image_id"])
        assert mask_of(rle_of(annotation["segmentation"], height, width)).shape == (height, width)


@settings(max_examples=100, deadline=None)
@given(JUNK | st.fixed_dictionaries({"images": JUNK, "annotations": JUNK, "categories": JUNK}))
def test_any_document_is_survived(value):
    findings, _ = check_and_keep(value, Path("x.json"), 64)
    assert findings


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "\0", '{"images": [}', "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_json_is_refused(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"x\.json: expected JSON"):
        read_coco(path)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"area": 5}, "area-mismatch"),
        ({"segmentation": [[100, 100, 140, 100, 140, 140]]}, "empty"),
        ({"segmentation": [[1, 1, 9, 1, 9, 25]]}, "outside"),
    ],
)
def test_oddities_are_warnings(values, kind, tmp_path):
    findings = list(check_coco(changed("annotations", 0, **values), tmp_path / "x.json", 64))
    assert kind in {finding.kind for finding in findings}
    assert all(finding.severity == "warning" for finding in findings)


def test_the_sentence_names_file_annotation_and_image(tmp_path):
    value = changed("annotations", 0, segmentation=[[1, 1]])
    (finding,) = check_coco(value, tmp_path / "x.json", 64)
    assert finding.sentence().endswith("x.json: annotation 1 of image 3: a polygon has 1 points, expected at least 3")


def test_index_subset_and_round_trip(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(SOUND))
    coco = read_coco(tmp_path / "x.json")
    assert [row["id"] for row in coco.annotations_of[3]] == [1, 2]
    assert coco.annotations_of[7] == []
    part = coco.subset([3])
    assert [row["id"] for row in part.images] == [3]
    assert len(part.annotations) == 2
    write_coco(tmp_path / "y.json", coco, note=1)
    assert load_coco(tmp_path / "y.json") == coco
