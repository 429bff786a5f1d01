"""The champion's model folders from a real registry, and the photos they predict."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trashseg import tracking
from trashseg.cli import app
from trashseg.errors import InputError
from trashseg.io import read_json, read_mask, write_image
from trashseg.tracking.champion import KEPT, model_folders


@pytest.fixture
def trained(checkout: Path, write_tiny_model: Callable[..., None]) -> dict[str, Path]:
    """Two model folders by the names of their ONNX files, with more in them than inference needs."""
    folders = {f"unet_{fold}": checkout / "artifacts/train/r0/unet" / str(fold) for fold in (0, 1)}
    for fold, folder in enumerate(folders.values()):
        write_tiny_model(folder, seed=fold)
        (folder / "history.csv").write_text("epoch\n")
    return folders


def register(folders: dict[str, Path], force: bool = False) -> tracking.Registration:
    files = {}
    for name in folders:
        path = Path("artifacts/export") / f"{name}.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"onnx")
        files[path] = (64, 64)
    return tracking.register_champion(files, ["Background"], 0.5, "a", force=force, folders=folders)


def test_the_champion_is_fetched_once_and_follows_its_alias(trained: dict[str, Path]) -> None:
    register(trained)
    first = model_folders(["champion"])
    assert [folder.name for folder in first] == ["unet_0", "unet_1"]
    for fetched, folder in zip(first, trained.values(), strict=True):
        assert sorted(path.name for path in fetched.iterdir()) == ["model.json", "weights.safetensors"]
        assert (fetched / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in KEPT.rglob("*")}
    assert model_folders(["champion"]) == first
    assert {path: path.stat().st_mtime_ns for path in KEPT.rglob("*")} == kept, "nothing is fetched again"

    register({"unet_1": trained["unet_1"]})
    assert model_folders(["champion"]) == first, "a version that is not better changes nothing"
    register({"unet_1": trained["unet_1"]}, force=True)
    assert [folder.name for folder in model_folders(["champion", "other"])] == ["unet_1", "other"]


def test_the_verb_predicts_with_the_champion(trained: dict[str, Path], checkout: Path) -> None:
    register(trained)
    write_image(checkout / "photos/a.png", np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8))
    for out, models in (("one", ["champion"]), ("two", [str(folder) for folder in trained.values()])):
        words = [word for model in models for word in ("--model", model)]
        app(["predict", "photos", *words, "--out", out, "--device", "cpu"], result_action="return_value")
    assert (read_mask(Path("one/masks/a.png")) == read_mask(Path("two/masks/a.png"))).all()
    assert read_json(Path("one/shares.json")) == read_json(Path("two/shares.json"))


def test_no_champion_is_one_sentence(checkout: Path, trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"model 'trashseg' in MLflow at sqlite:///.*no model folders of a champion"):
        model_folders(["champion"])
    register({"fpn_0": checkout / "not here"})
    with pytest.raises(InputError, match=r"no model folders of a champion.*expected what `trashseg register` puts"):
        model_folders(["champion"])
    assert not list(KEPT.iterdir()), "nothing half-fetched stays"
    (checkout / "champion").mkdir()
    assert model_folders(["champion"]) == [Path("champion")], "a folder of that name comes first"
    (checkout / "champion").rmdir()
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    with pytest.raises(InputError, match="tracking is off"):
        model_folders(["champion"])
