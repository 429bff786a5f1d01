"""The doctor: goes on after every fault, names it, and survives what is hostile."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trashseg.cli import app
from trashseg.data.doctor import examine
from trashseg.data.doctor_page import worst_first, write_page
from trashseg.data.findings import Finding
from trashseg.errors import InputError
from trashseg.io import write_image

spec = importlib.util.spec_from_file_location("coco_corpus", Path(__file__).with_name("test_coco.py"))
corpus = importlib.util.module_from_spec(spec)
spec.loader.exec_module(corpus)


def noise(seed, shape=(40, 48, 3)):
    rng = np.random.default_rng(seed)
    return np.repeat(np.repeat(rng.integers(0, 255, (shape[0] // 8, shape[1] // 8, 3), np.uint8), 8, 0), 8, 1)


def write(path, images, annotations=(), categories=((1, "Metal"), (2, "Glass"))):
    rows = {
        "images": [{"id": n, "file_name": name, "width": 48, "height": 40} for n, name in images.items()],
        "annotations": [{"id": n, **row} for n, row in enumerate(annotations, 1)],
        "categories": [{"id": number, "name": name} for number, name in categories],
    }
    path.write_text(json.dumps(rows))


@pytest.fixture
def dataset(tmp_path):
    """Three labelled images and one other, all sound."""
    folder = tmp_path / "data"
    for number in range(4):
        write_image(folder / f"{number}.png", noise(number))
    square = [[4, 4, 20, 4, 20, 20, 4, 20]]
    rows = [{"image_id": n, "category_id": 1 + n % 2, "segmentation": square, "area": 256} for n in range(3)]
    write(folder / "train_all.json", {n: f"{n}.png" for n in range(3)}, rows)
    write(folder / "test.json", {3: "3.png"})
    return folder


def kinds(dataset, **options):
    diagnosis = examine(dataset, jobs=1, **options)
    json.dumps(diagnosis.as_json())
    return {finding.kind for finding in diagnosis.findings}


def test_a_sound_dataset(dataset):
    diagnosis = examine(dataset, jobs=1)
    assert diagnosis.findings == []
    figures = diagnosis.as_json()["files"][str(dataset / "train_all.json")]
    assert figures["classes"]["Metal"] == {"annotations": 2, "median_area_px": 256}


@pytest.mark.parametrize("name", corpus.HOSTILE)
def test_the_hostile_corpus_is_survived_and_shown(name, tmp_path):
    value, kind = corpus.HOSTILE[name]
    path = tmp_path / "x.json"
    path.write_text(json.dumps(value))
    diagnosis = examine(path, jobs=1)
    assert kind in {finding.kind for finding in diagnosis.findings}
    write_page(tmp_path / "page.html", path, diagnosis)


def test_faulty_image_files(dataset):
    (dataset / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    (dataset / "1.png").unlink()
    write_image(dataset / "2.png", noise(2, (40, 56, 3)))
    assert kinds(dataset) == {"undecodable", "missing-file", "size-mismatch"}


def test_bombs_are_not_opened(dataset):
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    (dataset / "0.png").write_bytes(header + b"\0" * 100)
    assert kinds(dataset) <= {"undecodable", "too-large"}
    assert "too-large" in kinds(dataset, max_megapixels=0.001)


def test_pipes_folders_devices_and_loops_are_no_images(dataset):
    for name in ("0.png", "1.png", "2.png", "3.png"):
        (dataset / name).unlink()
    os.mkfifo(dataset / "0.png")
    (dataset / "1.png").mkdir()
    (dataset / "2.png").symlink_to("/dev/zero")
    (dataset / "3.png").symlink_to("3.png")
    assert kinds(dataset) == {"missing-file"}


def test_links_that_leave_turned_and_cut_images_are_warnings(dataset, tmp_path):
    write_image(tmp_path / "outside.png", noise(0))
    (dataset / "0.png").unlink()
    (dataset / "0.png").symlink_to(tmp_path / "outside.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(1)).save(dataset / "1.png", exif=exif)
    Image.fromarray(noise(2)).save(dataset / "2.jpg", quality=95)
    (dataset / "2.png").write_bytes((dataset / "2.jpg").read_bytes()[:-400])
    assert {"symlink", "exif", "truncated"} <= kinds(dataset)


def test_duplicates_within_and_across_files(dataset):
    (dataset / "1.png").write_bytes((dataset / "0.png").read_bytes())
    (dataset / "3.png").write_bytes((dataset / "0.png").read_bytes())
    assert kinds(dataset) == {"near-duplicate", "duplicate-across-files"}
    assert kinds(dataset, near_duplicate_bits=-1) == set()


def test_images_and_classes_without_labels(dataset):
    write(
        dataset / "train_all.json",
        {0: "0.png", 1: "1.png"},
        [{"image_id": 0, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}],
    )
    assert kinds(dataset) == {"no-annotation", "unused-category"}


def test_the_page_escapes_what_it_shows(dataset):
    rows = [{"image_id": 0, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 99]]}]
    write(dataset / "train_all.json", {0: "0.png", 1: "<script>alert(1)</script>.png"}, rows, ((1, "<b>Metal"),))
    diagnosis = examine(dataset, jobs=1)
    write_page(dataset / "page.html", dataset, diagnosis)
    text = (dataset / "page.html").read_text()
    assert "<script>" not in text
    assert "&lt;b&gt;Metal" in text
    assert "data:image/jpeg" in text, "the annotation that reaches out is pictured"


def test_the_command(dataset, capsys):
    app(["doctor", str(dataset), "--jobs", "1"], result_action="return_value")
    assert capsys.readouterr().out == "0 errors, 0 warnings\n"
    (dataset / "1.png").unlink()
    with pytest.raises(SystemExit, match="1"):
        app(["doctor", str(dataset), "--json", "--jobs", "1"], result_action="return_value")
    assert json.loads(capsys.readouterr().out)["kinds"] == {"missing-file": 1}


def test_many_findings_of_a_kind_are_counted_not_all_printed(dataset, capsys):
    for number in range(3):
        (dataset / f"{number}.png").unlink()
    with pytest.raises(SystemExit, match="1"):
        app(["doctor", str(dataset), "--show", "2", "--jobs", "1"], result_action="return_value")
    lines = capsys.readouterr().out.splitlines()
    assert sum("is no file" in line for line in lines) == 2
    assert "error: and 1 more of kind missing-file (--show 3 prints them all)" in lines
    assert lines[-1].startswith("3 errors")


def test_the_worst_of_each_kind_come_first():
    findings = [
        Finding("warning", kind, "", "", "", amount) for kind, amount in (("a", 1), ("a", 9), ("a", 5), ("b", 2))
    ]
    assert [finding.amount for finding in worst_first(findings)] == [9, 2, 5, 1]


def test_no_dataset_at_all(tmp_path):
    with pytest.raises(InputError, match="no COCO file"):
        examine(tmp_path)
