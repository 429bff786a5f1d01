"""TACO's importer: fetched from a loopback server, mapped by a table, scaled to the photos at hand."""

import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from trashseg.classes import CONTEST_NAMES
from trashseg.data.assemble import assemble
from trashseg.data.coco import load_coco, read_coco
from trashseg.data.taco.prepare import prepare_taco
from trashseg.data.taco.table import TABLE, class_order, read_table
from trashseg.errors import InputError
from trashseg.io import read_image, read_json, write_image


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        """Quiet."""


@pytest.fixture
def taco(tmp_path):
    """Six photos of 40 x 30 px in three batches on a server; the json says 80 x 60."""
    rng = np.random.default_rng(0)
    flickr = tmp_path / "flickr"
    for number in range(6):
        write_image(flickr / f"{number}.jpg", rng.integers(0, 255, (30, 40, 3), np.uint8))
    handler = functools.partial(Quiet, directory=str(flickr))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{httpd.server_port}"
    images = [
        {
            "id": number,
            "file_name": f"batch_{number // 2}/{number:06}.jpg",
            "width": 80,
            "height": 60,
            "flickr_url": f"{url}/{number}.jpg",
        }
        for number in range(6)
    ]
    square = [[20.0, 20.0, 60.0, 20.0, 60.0, 40.0, 20.0, 40.0]]
    annotations = [
        {"id": number, "image_id": number, "category_id": number % 3, "segmentation": square, "area": 800}
        for number in range(6)
    ]
    annotations.append({"id": 6, "image_id": 0, "category_id": 0, "segmentation": [[1.0, 2.0, 3.0, 4.0]], "area": 0})
    categories = [{"id": 0, "name": "Drink can"}, {"id": 1, "name": "Battery"}, {"id": 2, "name": "Unlabeled litter"}]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    yield path
    httpd.shutdown()
    httpd.server_close()


def prepare(taco, tmp_path, **options):
    out = tmp_path / "out"
    prepare_taco(taco, tmp_path / "photos", out, 0, **{"test_fraction": 0.34, "pause_s": 0.01, **options})
    return out


def test_the_shipped_table_knows_every_taco_category_and_all_classes(real_data):
    table = read_table()
    names = {row["name"] for row in read_json(real_data / "taco" / "annotations.json")["categories"]}
    assert set(table) == names
    assert class_order(table) == list(CONTEST_NAMES[1:])


def test_photos_labels_and_split(taco, tmp_path):
    out = prepare(taco, tmp_path)
    train, test, labels = (read_coco(out / name) for name in ("train_all.json", "test.json", "test_labels.json"))
    assert (len(train.images), len(test.images), len(labels.annotations)) == (4, 2, 2)
    assert not test.annotations
    assert not {row["batch"] for row in train.images} & {row["batch"] for row in test.images}
    row = labels.annotations[0]
    assert row["segmentation"] == [[10, 10, 30, 10, 30, 20, 10, 20]], "scaled to the photo fetched"
    assert row["area"] == 200
    report = read_json(out / "taco_report.json")
    assert (report["photos"], report["had"], report["missing"]) == (6, 6, [])
    assert [fault["id"] for fault in report["dropped_annotations"]] == [6]


def test_large_photos_are_shrunk_with_their_labels(taco, tmp_path):
    out = prepare(taco, tmp_path, longest_side_px=64, test_fraction=0)
    assert read_image(out / "images" / "batch_0" / "000000.jpg").shape == (30, 40, 3)
    small = prepare(taco, tmp_path / "b", longest_side_px=20, test_fraction=0)
    assert read_image(small / "images" / "batch_0" / "000000.jpg").shape == (15, 20, 3)
    assert load_coco(small / "train_all.json").annotations[0]["area"] == 50


def test_missing_photos_are_reported_and_left_out(taco, tmp_path):
    (tmp_path / "flickr" / "3.jpg").unlink()
    (tmp_path / "flickr" / "4.jpg").write_bytes(b"<html>this photo is private</html>")
    out = prepare(taco, tmp_path, max_missing_fraction=0.5, test_fraction=0)
    assert {row["id"] for row in load_coco(out / "train_all.json").images} == {0, 1, 2, 5}
    report = read_json(out / "taco_report.json")
    assert [fault["image_id"] for fault in report["missing"]] == [3, 4]
    assert report["missing"][0]["reason"].startswith("HTTP 404")
    with pytest.raises(InputError, match="2 of 6 photos could not be had, expected at most 10%"):
        prepare(taco, tmp_path, max_missing_fraction=0.1)


def test_a_table_of_ones_own(taco, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("taco,class\nDrink can,Can\nBattery,\nUnlabeled litter,Rest\n")
    out = prepare(taco, tmp_path, table=table, test_fraction=0)
    assemble(out, tmp_path / "dataset", "train_all.json", None, None, None, ("UNKNOWN",), jobs=1)
    value = read_json(tmp_path / "dataset" / "train_all.json")
    assert [row["name"] for row in value["categories"]] == ["Can", "Rest"]
    assert [row["id"] for row in value["ignored_annotations"]] == [1, 4]


def test_a_category_without_a_row_is_named(taco, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("taco,class\nDrink cans,Can\nBattery,\nUnlabeled litter,Rest\n")
    with pytest.raises(
        InputError, match=r"mine\.csv: TACO category 'Drink can' has no row \(did you mean 'Drink cans'"
    ):
        prepare(taco, tmp_path, table=table)
    table.write_text("a,b\n")
    with pytest.raises(InputError, match="expected the columns taco,class"):
        prepare(taco, tmp_path, table=table)


def test_what_is_no_taco_json(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(InputError, match=r"x\.json: expected TACO's annotations\.json"):
        prepare(path, tmp_path, table=TABLE)
