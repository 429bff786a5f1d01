"""`trashseg train` on one's own COCO files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from trashseg.commands.train import train
from trashseg.errors import InputError
from trashseg.io import read_json, write_image
from trashseg.models.model_folder import load_model
from trashseg.training.own_files import paste_from_own

SMALL = [
    "network.encoder_weights=null",
    "network.options={decoder_channels: [32, 16, 16, 8, 8]}",
    "train.images_per_epoch=4",
    "train.threads=1",
]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/ and two COCO files of one's own."""
    root = tmp_path_factory.mktemp("own")
    categories = [{"id": 1, "name": "Can"}, {"id": 2, "name": "Bag"}]
    for part, ids in (("train", range(1, 5)), ("val", range(5, 7))):
        rows, annotations = [], []
        for image_id in ids:
            image_HWC = np.full((64, 64, 3), 80, np.uint8)
            image_HWC[10:40, 10:40] = (200, 0, 0) if image_id % 2 else (0, 0, 200)
            write_image(root / "photos" / f"{image_id}.png", image_HWC)
            rows.append({"id": image_id, "file_name": f"{image_id}.png", "width": 64, "height": 64})
            box = [10, 10, 40, 10, 40, 40, 10, 40]
            one = {"id": image_id, "image_id": image_id, "category_id": 1 + image_id % 2, "segmentation": [box]}
            annotations.append({**one, "area": 900, "bbox": [10, 10, 30, 30], "iscrowd": 0})
        coco = {"images": rows, "annotations": annotations, "categories": categories}
        (root / f"{part}.json").write_text(json.dumps(coco))
    return root


@pytest.fixture
def files(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The three flags that are always needed, and a working folder of one's own."""
    shutil.copytree(own, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return {"train_json": Path("train.json"), "val_json": Path("val.json"), "images": Path("photos")}


def test_every_flag_has_its_effect(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    train(
        **files,
        model="fpn",
        encoder="resnet18",
        encoder_weights="none",
        loss="focal",
        optimizer="radam",
        schedule="poly",
        epochs=7,
        batch_size=3,
        image_size=64,
        learning_rate=0.25,
        workers=1,
        set_=["augment.cut_mix=0.5", "train.weight_decay=1e-3"],
        dry_run=True,
    )
    told = capsys.readouterr().out
    for line in (
        "architecture: fpn", "encoder: resnet18", "loss: focal", "optimizer: radam", "schedule: poly", "epochs: 7",
        "batch_size: 3", "- 64", "learning_rate: 0.25", "workers: 1", "cut_mix: 0.5", "weight_decay: 0.001",
        "images: 4 to learn from, 2 to validate on, 3 classes", "parameters: ", "memory estimate: ",
    ):  # fmt: skip
        assert line in told
    assert not Path("model").exists()


def test_a_training_writes_a_model_folder_and_curves(files: dict[str, Path]) -> None:
    train(
        **files,
        out=Path("mine"),
        model="unet",
        encoder="tu-tf_mobilenetv3_small_minimal_100",
        epochs=1,
        batch_size=2,
        image_size=64,
        set_=[*SMALL, "augment.online_copy_paste=1"],
        tensorboard=Path("curves"),
    )
    _, description = load_model(Path("mine"))
    assert description.classes.names == ("Background", "Can", "Bag")
    assert set(read_json(Path("mine/metrics.json"))["per_class"]) == {"Background", "Can", "Bag"}
    assert list(Path("curves").glob("events.*"))


def test_objects_pasted_online_are_those_of_the_training_file(files: dict[str, Path]) -> None:
    value = read_json(files["train_json"])
    value["annotations"] = [row for row in value["annotations"] if row["category_id"] == 1]
    files["train_json"].write_text(json.dumps(value))
    bank = paste_from_own(files["train_json"], files["images"], seed=0).bank
    assert {index: len(patches) for index, patches in bank.patches.items()} == {1: 2}, "no Bag of val.json"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("train.los=ce", "did you mean 'loss'"),
        ("trian.loss=ce", "did you mean 'train'"),
        ("train.epochs", "expected KEY=VALUE"),
        ("train.epochs=0", "greater than or equal to 1"),
    ],
)
def test_bad_keys_are_one_sentence(files: dict[str, Path], key: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(**files, set_=[key], dry_run=True)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("preset", "millions"), [("contest", (30, 34)), ("transformer", (60, 66))])
def test_the_presets_for_gpus_fit_together_at_their_real_size(
    files: dict[str, Path], repository: Path, capsys: pytest.CaptureFixture[str], preset: str, millions: tuple[int, int]
) -> None:
    train(**files, params=repository / "presets" / f"{preset}.yaml", dry_run=True)
    told = capsys.readouterr().out
    parameters = int(told.split("parameters: ")[1].split("\n")[0].replace(",", ""))
    assert millions[0] < parameters / 1e6 < millions[1]
    gib = float(told.split("memory estimate: ")[1].split(" GiB")[0])
    assert 8 < gib < 80


def test_an_image_in_both_files_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"photos/1\.png is in train\.json too"):
        train(**{**files, "val_json": files["train_json"]}, dry_run=True)


def test_missing_photos_are_named(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="check --images"):
        train(**{**files, "images": Path("elsewhere")}, dry_run=True)
