"""The model registry on a real store, and a registered model that answers a photo."""

import base64
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from trashseg import tracking
from trashseg.errors import InputError
from trashseg.inference.streaming import read_photo
from trashseg.tracking.registry import verdict
from trashseg.tracking.store import connect

CLASSES = ("Background", "Red", "Green")


@pytest.fixture(scope="session")
def colour_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file whose class is the strongest colour, in the form that `export` writes."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["B", "H", "W", 3])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", 3, "H", "W"])
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["x", "order"], ["g"], axis=3),
        helper.make_node("Transpose", ["g"], ["probabilities"], perm=[0, 3, 1, 2]),
    ]
    order = helper.make_tensor("order", TensorProto.INT64, [3], [2, 0, 1])
    graph = helper.make_graph(nodes, "colours", [image], [answer], [order])
    path = tmp_path_factory.mktemp("export") / "unet_0.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def test_champion_changes_only_for_a_better_score_on_the_same_folds(checkout: Path, colour_model: Path) -> None:
    def register(score: float, folds: str, force: bool = False) -> tracking.Registration:
        return tracking.register_champion({colour_model: (8, 8)}, CLASSES, score, folds, force=force)

    assert register(0.5, "a") == tracking.Registration("1", True, "there was no champion")
    assert register(0.5, "a").champion is False
    assert register(0.6, "a").champion is True
    other = register(0.9, "b")
    assert (other.champion, "other folds" in other.reason) == (False, True)
    assert register(0.9, "b", force=True).champion is True
    client, _ = connect()
    version = client.get_model_version_by_alias("trashseg", "champion")
    assert (version.version, version.tags["oof_miou"]) == (5, "0.9")


def served(colour_model: Path) -> Callable[[bytes], tuple[NDArray[np.uint8], dict[str, float]]]:
    """The registered champion: an encoded photo in, its mask_HW and the classes' shares out."""
    import mlflow.pyfunc
    import pandas as pd

    tracking.register_champion({colour_model: (8, 8)}, CLASSES, 0.5, "a")
    mlflow.set_registry_uri(tracking.tracking_uri())
    mlflow.set_tracking_uri(tracking.tracking_uri())
    model = mlflow.pyfunc.load_model("models:/trashseg@champion")

    def answer(photo: bytes) -> tuple[NDArray[np.uint8], dict[str, float]]:
        (found,) = model.predict(pd.DataFrame({"image": [base64.b64encode(photo).decode()]}))
        mask_HW = cv2.imdecode(np.frombuffer(base64.b64decode(found["mask"]), np.uint8), cv2.IMREAD_UNCHANGED)
        return np.asarray(mask_HW, np.uint8), found["shares"]

    return answer


def test_registered_model_answers_a_photo(checkout: Path, colour_model: Path) -> None:
    photo_HWC = np.zeros((24, 16, 3), np.uint8)
    photo_HWC[:, :8, 2] = 200  # red, in OpenCV's order
    photo_HWC[:, 8:, 0] = 200  # blue: Background
    mask_HW, shares = served(colour_model)(cv2.imencode(".png", photo_HWC)[1].tobytes())
    assert mask_HW.shape == (24, 16)
    assert (mask_HW[:, :6] == 1).all() and (mask_HW[:, 10:] == 0).all()
    assert shares == {"Background": 0.5, "Red": 0.5}


def test_registered_model_turns_a_photo_as_trashseg_predict_does(
    checkout: Path, colour_model: Path, tmp_path: Path
) -> None:
    stored = Image.new("RGB", (32, 16), "red")
    stored.paste("blue", (0, 8, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: what is stored on top is to be shown on the right
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    mask_HW, _ = served(colour_model)((tmp_path / "turned.jpg").read_bytes())
    assert mask_HW.shape == read_photo(tmp_path / "turned.jpg", 64, upright=True).shape[:2] == (32, 16)
    assert (mask_HW[:, :6] == 0).all() and (mask_HW[:, 10:] == 1).all()


def test_verdict() -> None:
    assert verdict(0.1, "a", None)[0]
    assert verdict(0.6, "a", {"fold_digest": "a", "oof_miou": "0.5"})[0]
    assert not verdict(0.6, "b", {"fold_digest": "a", "oof_miou": "0.5"})[0]
    assert not verdict(0.5, "a", {"fold_digest": "a", "oof_miou": "0.5"})[0]


def test_registering_nothing_or_nowhere_is_an_error(
    checkout: Path, colour_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no ONNX file"):
        tracking.register_champion({}, CLASSES, 0.5, "a")
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    with pytest.raises(InputError, match="tracking is off"):
        tracking.register_champion({colour_model: (8, 8)}, CLASSES, 0.5, "a")
