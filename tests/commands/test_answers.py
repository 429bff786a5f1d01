"""The verbs from probabilities to answers, on files of one's own: refine, evaluate, submission, label-noise."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg.classes import named, write_classes
from trashseg.commands.ensemble import ensemble
from trashseg.commands.evaluate import evaluate
from trashseg.commands.label_noise import label_noise
from trashseg.commands.refine import refine
from trashseg.commands.submission import check_submission, read_submission, submission
from trashseg.errors import InputError
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_json, read_mask, write_image, write_json, write_mask

CLASSES = named(("Background", "Can", "Bottle"))
COLOURS = np.array([(40, 90, 60), (200, 30, 30), (30, 40, 210)], np.uint8)
SIDE = 48


def mask(top: int) -> NDArray[np.uint8]:
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    mask_HW[top : top + 20, 10:30] = 1
    return mask_HW


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two photos, their masks, and probabilities that see the objects 2 px too far right, and one nobody drew."""
    store = ProbabilityStore(tmp_path / "probabilities", CLASSES.names)
    rows = []
    for number, top in enumerate((5, 20)):
        mask_HW = mask(top)
        write_image(tmp_path / "photos" / f"batch/{number}.png", COLOURS[mask_HW])
        write_mask(tmp_path / "masks" / f"batch/{number}.png", mask_HW, CLASSES.palette())
        write_mask(tmp_path / "labels" / f"{number}.png", mask_HW, CLASSES.palette())
        seen_HW = np.roll(mask_HW, 2, axis=1)
        sure = 0.5
        probabilities_CHW = np.full((3, SIDE, SIDE), (1 - sure) / 2, np.float32)
        np.put_along_axis(probabilities_CHW, seen_HW[None].astype(np.int64), sure, axis=0)
        if number == 1:
            probabilities_CHW[:, 2:12, 36:46] = np.array([0.04, 0.02, 0.94])[:, None, None]
        store.write(number, probabilities_CHW)
        rows.append({"id": number, "file_name": f"batch/{number}.png", "width": SIDE, "height": SIDE})
    write_json(store.folder / "names.json", {"0": "batch/0", "1": "batch/1"})
    write_classes(store.folder / "classes.json", CLASSES)
    write_json(tmp_path / "images.json", {"images": rows})
    return tmp_path


def test_refine_moves_edges_to_the_colours_and_evaluate_sees_it(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = own / "probabilities" / "classes.json"
    refine(own / "probabilities", photos=own / "photos", out=own / "out", bilateral_sxy=15, pictures=True)
    np.testing.assert_array_equal(read_mask(own / "out/masks/batch/0.png"), mask(5))
    assert (own / "out/pictures/batch/1.jpg").is_file()
    evaluate(own / "out" / "masks", truth=own / "masks", classes=classes, json=own / "scores.json", jobs=1)
    scores = read_json(own / "scores.json")
    assert scores["per_class"]["Can"] == 1
    assert scores["per_class"]["Bottle"] is None  # no colour speaks for it: the CRF took it away
    assert "2 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"bilateral_srgb": 0}, "--bilateral-srgb: found 0, expected a number above 0"),
        ({"gaussian_compat": float("nan")}, "--gaussian-compat: found nan"),
        ({"iterations": 0}, "--iterations: found 0, expected 1 or more"),
    ],
)
def test_refine_refuses_numbers_that_make_no_sense(own: Path, flags: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        refine(own / "probabilities", photos=own / "photos", out=own / "out", **flags)  # type: ignore[arg-type]


def test_refine_names_a_missing_photo_and_writes_nothing(own: Path) -> None:
    (own / "photos/batch/1.png").unlink()
    with pytest.raises(InputError, match=r"batch/1: no such photo"):
        refine(own / "probabilities", photos=own / "photos", out=own / "out")
    assert not (own / "out").exists()


def test_a_submission_goes_out_and_comes_back_as_an_ensemble_member(own: Path) -> None:
    images, classes, csv = own / "images.json", own / "probabilities/classes.json", own / "submission.csv"
    submission(own / "masks", json=images, classes=classes, out=csv)
    check_submission(csv, json=images, classes=classes)
    read_submission(csv, json=images, classes=classes, out=own / "back", images=own / "photos", certainty=0.9)
    np.testing.assert_array_equal(read_mask(own / "back/masks/batch/1.png"), mask(20))
    assert (own / "back/overlays/batch/0.jpg").is_file()
    ensemble(own / "back/probabilities", own / "probabilities", out=own / "both", weights=[3, 1])
    np.testing.assert_array_equal(read_mask(own / "both/masks/batch/0.png"), mask(5))


def test_a_submission_of_other_images_is_named(own: Path) -> None:
    images, classes, csv = own / "images.json", own / "probabilities/classes.json", own / "submission.csv"
    submission(own / "masks", json=images, classes=classes, out=csv)
    rows = read_json(images)["images"]
    write_json(images, {"images": rows[:1]})
    with pytest.raises(InputError, match=r"row 2 is batch/1\.png, expected 1 rows"):
        check_submission(csv, json=images, classes=classes)
    with pytest.raises(InputError, match=r"batch/1\.png is no image of the COCO file"):
        read_submission(csv, json=images, classes=classes, out=own / "back")


def test_evaluate_names_what_is_missing_or_of_another_size(own: Path) -> None:
    classes = own / "probabilities/classes.json"
    with pytest.raises(InputError, match=r"labels/batch/0\.png: no such mask"):
        evaluate(own / "labels", truth=own / "masks", classes=classes, jobs=1)
    write_mask(own / "labels" / "batch/0.png", mask(5)[:9], CLASSES.palette())
    write_mask(own / "labels" / "batch/1.png", mask(5), CLASSES.palette())
    with pytest.raises(InputError, match=r"0\.png: mask and truth are 9x48 and 48x48 pixels"):
        evaluate(own / "labels", truth=own / "masks", classes=classes, jobs=1)


def test_label_noise_finds_the_object_nobody_drew(own: Path) -> None:
    label_noise(
        own / "probabilities",
        json=own / "images.json",
        images=own / "photos",
        masks=own / "labels",
        classes=own / "probabilities/classes.json",
        out=own / "doubts",
    )
    first, second = read_json(own / "doubts/ranking.json")
    assert first["image_id"] == 1
    assert first["findings"][0]["words"] == "perhaps an unlabelled Bottle"
    assert first["findings"][0]["box"] == [36, 2, 10, 10]
    assert second["findings"] == []
    page = (own / "doubts/index.html").read_text()
    assert page.count("<figure>") == 1
    assert page.count("data:image/jpeg") == 3


@pytest.mark.parametrize("fault", ["truncated", "missing"])
def test_broken_probabilities_are_named_before_anything_is_written(own: Path, fault: str) -> None:
    broken = own / "probabilities" / "1.probs"
    if fault == "truncated":
        broken.write_bytes(broken.read_bytes()[:50])
    else:
        broken.unlink()
    with pytest.raises(InputError, match=r"1\.probs: "):
        ensemble(own / "probabilities", own / "probabilities", out=own / "out")
    with pytest.raises(InputError, match=r"1\.probs: "):
        refine(own / "probabilities", photos=own / "photos", out=own / "out")
    assert not (own / "out").exists()


def test_a_photo_of_another_size_is_named_before_anything_is_written(own: Path) -> None:
    write_image(own / "photos" / "batch/1.png", np.zeros((SIDE, SIDE + 2, 3), np.uint8))
    with pytest.raises(InputError, match=r"1\.probs: made at 48x48 pixels, but .*1\.png has 50x48"):
        refine(own / "probabilities", photos=own / "photos", out=own / "out")
    assert not (own / "out").exists()


@pytest.mark.parametrize(("names", "sentence"), [({"0": "../../x"}, "leads out of its folder"), ([], "expected")])
def test_names_of_photos_are_checked(own: Path, names: object, sentence: str) -> None:
    write_json(own / "probabilities" / "names.json", names)
    with pytest.raises(InputError, match=sentence):
        ensemble(own / "probabilities", out=own / "out")
