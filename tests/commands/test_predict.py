import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trashseg.cli import app, main
from trashseg.errors import InputError
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_image, read_json, read_mask, write_image


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, write_tiny_model: Callable[..., None]) -> list[Path]:
    folders = [tmp_path_factory.mktemp("model") / str(seed) for seed in (0, 1)]
    for seed, folder in enumerate(folders):
        write_tiny_model(folder, seed=seed)
    return folders


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name, size in (("a.jpg", (60, 80)), ("sub/b.png", (64, 64)), ("c.png", (33, 50))):
        write_image(folder / name, rng.integers(0, 255, (*size, 3)).astype(np.uint8))
    (folder / "notes.txt").touch()
    return folder


def run(*words: object) -> None:
    app([str(word) for word in words], result_action="return_value")


def test_a_folder_by_two_models(photos: Path, models: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(
        "predict",
        photos,
        "--model",
        models[0],
        "--model",
        models[1],
        "--out",
        out,
        "--device",
        "cpu",
        "--probabilities",
    )
    rows = read_json(out / "shares.json")["photos"]
    assert [row["name"] for row in rows] == ["a", "c", "sub/b"]
    for row in rows:
        mask = read_mask(out / "masks" / f"{row['name']}.png")
        photo = read_image(Path(row["file"]))
        assert mask.shape == photo.shape[:2] == read_image(out / "overlays" / f"{row['name']}.jpg").shape[:2]
        assert sum(row["shares"].values()) == pytest.approx(1, abs=1e-4)
    store = ProbabilityStore(out / "probabilities")
    assert store.ids() == [0, 1, 2]
    agree = store.read(1).argmax(0) == read_mask(out / "masks" / "c.png")
    assert agree.mean() > 0.9  # random weights: many near ties

    run(
        "ensemble",
        out / "probabilities",
        out / "probabilities",
        "--out",
        tmp_path / "both",
        "--weights",
        1,
        "--weights",
        3,
    )
    again = read_mask(tmp_path / "both" / "masks" / "sub" / "b.png")
    assert (again == read_mask(out / "masks" / "sub" / "b.png")).mean() > 0.9


def test_one_photo_in_windows(photos: Path, models: list[Path], tmp_path: Path) -> None:
    run("predict", photos / "a.jpg", "--model", models[0], "--out", tmp_path / "out", "--view", "windows")
    assert read_mask(tmp_path / "out" / "masks" / "a.png").shape == (60, 80)


@pytest.mark.parametrize(("flag", "shape"), [("--upright", (80, 60)), ("--no-upright", (60, 80))])
def test_a_photo_on_its_side_is_turned(
    photos: Path, models: list[Path], tmp_path: Path, flag: str, shape: tuple[int, int]
) -> None:
    from PIL import Image

    with Image.open(photos / "a.jpg") as image:
        exif = image.getexif()
        exif[0x0112] = 6  # orientation: to be turned right
        image.save(photos / "turned.jpg", exif=exif)
    run("predict", photos / "turned.jpg", "--model", models[0], "--out", tmp_path / "out", flag)
    assert read_mask(tmp_path / "out" / "masks" / "turned.png").shape == shape


def test_a_broken_photo_is_named_and_the_others_are_done(photos: Path, models: list[Path], tmp_path: Path) -> None:
    (photos / "b.jpg").write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"b\.jpg: cannot be decoded"):
        run("predict", photos, "--model", models[0], "--out", tmp_path / "out")
    assert len(read_json(tmp_path / "out" / "shares.json")["photos"]) == 3


def test_sources_that_hold_nothing(models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, sentence in (("nowhere", "no such photo or folder"), ("empty", "no photo found")):
        with pytest.raises(InputError, match=sentence):
            run("predict", tmp_path / name, "--model", models[0], "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_members_must_agree(photos: Path, models: list[Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        run("predict", photos / "c.png", "--model", models[0], "--out", tmp_path / name, "--probabilities")
    both = [tmp_path / name / "probabilities" for name in ("one", "two")]
    for weights, sentence in (((1,), "1 given for 2 members"), (("nan", 1), "found nan, 1.0"), ((0, 0), "one above 0")):
        flags = [word for weight in weights for word in ("--weights", weight)]
        with pytest.raises(InputError, match=sentence):
            run("ensemble", *both, "--out", tmp_path / "out", *flags)
    (both[1] / "names.json").write_text('{"0": "other"}')
    with pytest.raises(InputError, match=r"two/probabilities/names\.json: other photos than those of"):
        run("ensemble", *both, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Cyclopts application invoked")
def test_a_missing_model_exits_with_2_and_one_sentence(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["trashseg", "predict", str(photos), "--model", "none", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: none/model.json: no such file\n"


def test_export(models: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("export", models[0], "--out", tmp_path / "unet.onnx")
    assert "differs from torch by at most" in capsys.readouterr().out
    with pytest.raises(InputError, match="differ from torch's"):
        run("export", models[0], "--out", tmp_path / "other.onnx", "--tolerance", 1e-12)
    assert sorted(path.name for path in tmp_path.glob("*onnx*")) == ["unet.onnx"]
