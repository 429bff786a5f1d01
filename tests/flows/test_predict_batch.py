"""The flow `predict-batch` with a real (tiny) network: folders, buckets, and what is done again."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows import places
from flows.outcomes import BAD_INPUT, NOTHING_NEW
from flows.photo_index import PHOTOS, PhotoIndex
from flows.places import Bucket, Folder, place, safe
from flows.predict_batch import predict_batch
from trashseg.errors import InputError
from trashseg.io import read_mask
from trashseg.tracking import register_champion
from trashseg.tracking.provenance import digest

HOSTILE = "-x $(touch pwned) 'q\" ;&"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, where a file is taken as soon as it is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "SETTLE_S", -1.0)
    return tmp_path


def photo(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8))


def rows(folder: Path) -> dict[str, dict[str, object]]:
    return {row["file"]: row for row in json.loads((folder / "shares.json").read_text())["photos"]}


@pytest.mark.timeout(600)
def test_new_photos_become_masks_overlays_and_shares_once(
    desk: Path, prefect_server: None, write_tiny_model: Callable[..., None]
) -> None:
    write_tiny_model(desk / f"model {HOSTILE}")
    for name in ("a.jpg", f"{HOSTILE}/{HOSTILE}.png"):
        photo(desk / "inbox" / name)
    (desk / "inbox" / "broken.jpg").write_text("no photo")
    asked = {"source": "inbox", "out": "found", "models": [f"model {HOSTILE}"], "return_state": True}
    first = predict_batch(**asked)
    assert first.is_completed() and "3 photos, 1 of them unreadable" in str(first.message)
    found = rows(desk / "found")
    assert "cannot be read" in str(found["broken.jpg"]["error"])
    assert read_mask(desk / "found/masks/a.png").shape == (48, 64)
    assert (desk / "found/overlays" / HOSTILE / f"{HOSTILE}.jpg").is_file()
    assert abs(sum(found["a.jpg"]["shares"].values()) - 1) < 1e-4  # type: ignore[attr-defined]
    assert not list(desk.rglob("pwned"))

    assert predict_batch(**asked).name == NOTHING_NEW


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_changed_photos_are_predicted_again_and_no_others(
    desk: Path, prefect_server: None, write_tiny_model: Callable[..., None]
) -> None:
    write_tiny_model(desk / "model")
    asked = {"source": "inbox", "out": "found", "models": ["model"], "return_state": True}
    photo(desk / "inbox/a.jpg")
    photo(desk / "inbox/b.jpg")
    assert "2 photos" in str(predict_batch(**asked).message)
    photo(desk / "inbox/a.jpg", seed=1)
    photo(desk / "inbox/a.png", seed=2)
    second = predict_batch(**asked)
    assert "2 photos, 0" in str(second.message)
    assert rows(desk / "found")["a.png"]["name"] == "a.png", "a.jpg has the name a already"
    assert (desk / "found/masks/a.png.png").is_file()


@pytest.mark.timeout(600)
def test_the_champion_of_the_registry_predicts_from_the_run_after_it_became_that(
    desk: Path, prefect_server: None, write_tiny_model: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRASHSEG_TRACKING", "on")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    asked = {"source": "inbox", "out": "found", "models": ["champion"], "return_state": True}
    photo(desk / "inbox/a.jpg")
    nobody = predict_batch(**asked)
    assert nobody.name == BAD_INPUT and "no model folders of a champion" in str(nobody.message)

    def crown(seed: int) -> None:
        write_tiny_model(desk / "model", seed=seed)
        (desk / "unet_0.onnx").write_bytes(b"onnx")
        files, folders = {desk / "unet_0.onnx": (64, 64)}, {"unet_0": desk / "model"}
        register_champion(files, ["Background"], 0.5 + seed / 10, "folds", folders=folders)

    crown(seed=0)
    assert predict_batch(**asked).is_completed()
    crown(seed=1)
    photo(desk / "inbox/b.jpg")
    assert "1 photos" in str(predict_batch(**asked).message), "what is done stays as it is"
    found = rows(desk / "found")
    assert found["a.jpg"]["model"] != found["b.jpg"]["model"]
    assert found["b.jpg"]["model"] == digest([desk / "model/weights.safetensors"])[:16]


def test_what_cannot_be_done_is_one_sentence(
    desk: Path, prefect_server: None, write_tiny_model: Callable[..., None]
) -> None:
    def sentence(**asked: object) -> str:
        state = predict_batch(**asked, return_state=True)
        assert state.name == BAD_INPUT
        return str(state.message)

    assert "inbox: no such folder" in sentence()
    photo(desk / "inbox/a.jpg")
    assert "selected.json: no such file" in sentence()
    assert "nowhere: no weights.safetensors" in sentence(models=["nowhere"])
    assert "lies in inbox" in sentence(out="inbox/found")
    assert "shares.json: expected what predict-batch writes" in _with_index(desk, "[]", sentence)
    assert "pip install" in sentence(source="nosuch://bucket")


def _with_index(desk: Path, text: str, sentence: Callable[..., str]) -> str:
    (desk / "found").mkdir()
    (desk / "found/shares.json").write_text(text)
    return sentence()


def test_photos_are_what_the_verb_takes_for_photos() -> None:
    from trashseg.inference.own_photos import SUFFIXES

    assert PHOTOS == SUFFIXES


@pytest.mark.parametrize(
    ("name", "is_safe"), [("a/b.jpg", True), ("../a.jpg", False), ("/etc/a.jpg", False), ("a/../../b.jpg", False)]
)
def test_keys_that_would_leave_their_folder_are_refused(name: str, is_safe: bool) -> None:
    assert safe(name) is is_safe


def test_a_file_that_is_still_written_to_waits(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    assert Folder(tmp_path).files() == {}, "it changed this very moment"


def test_masks_of_other_classes_do_not_mix(tmp_path: Path) -> None:
    index = PhotoIndex(Folder(tmp_path))
    index.check_classes(["Background", "Paper"])
    index.add([{"file": "a.jpg", "stamp": "1", "name": "a", "shares": {}}])
    again = PhotoIndex(Folder(tmp_path))
    assert again.new({"a.jpg": "1", "b.jpg": "1", "b.txt": "1"}) == {"b.jpg": "1"}
    with pytest.raises(InputError, match="has classes Background, Paper; the models have Background, Glass"):
        again.check_classes(["Background", "Glass"])


def test_a_bucket_holds_what_was_put_there(s3: str, tmp_path: Path) -> None:
    bucket = place("s3://photos/in box")
    assert isinstance(bucket, Bucket)
    bucket.put("batch/a b.jpg", b"1")
    bucket.put("c.jpg", b"22")
    files = bucket.files()
    assert files.keys() == {"batch/a b.jpg", "c.jpg"}
    bucket.put("c.jpg", b"33")
    assert bucket.files()["c.jpg"] != files["c.jpg"], "same size, other content"
    bucket.fetch("batch/a b.jpg", tmp_path / "x" / "a.jpg")
    assert (tmp_path / "x" / "a.jpg").read_bytes() == b"1"
    assert (bucket.read("c.jpg"), bucket.read("nothing")) == (b"33", None)
    with pytest.raises(InputError, match="s3://nobody"):
        place("s3://nobody/x").files()


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_photos_of_a_bucket_become_masks_in_a_bucket(
    desk: Path, s3: str, prefect_server: None, write_tiny_model: Callable[..., None]
) -> None:
    write_tiny_model(desk / "model")
    photo(desk / "a.jpg")
    place("s3://photos/in").put(f"{HOSTILE}.jpg", (desk / "a.jpg").read_bytes())
    asked = {"source": "s3://photos/in", "out": "s3://photos/out", "models": ["model"], "return_state": True}
    assert predict_batch(**asked).is_completed()
    out = place("s3://photos/out")
    assert out.files().keys() == {"shares.json", f"masks/{HOSTILE}.png", f"overlays/{HOSTILE}.jpg"}
    assert predict_batch(**asked).name == NOTHING_NEW
