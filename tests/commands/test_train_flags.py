"""Every flag and every key of `trashseg train` has its effect: on what is learnt, on what is written, or on speed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.commands.test_train import SMALL, own  # noqa: F401 (a fixture)
from trashseg.commands.predict import predict
from trashseg.commands.train import train
from trashseg.data.augment_config import AugmentConfig
from trashseg.errors import InputError
from trashseg.models.model_folder import LAST_WEIGHTS as LAST
from trashseg.models.model_folder import load_model, read_description
from trashseg.training.config import TrainConfig

BASE: dict[str, Any] = {
    "model": "unet",
    "encoder": "tu-tf_mobilenetv3_small_minimal_100",
    "epochs": 1,
    "batch_size": 2,
    "image_size": 32,
}
KEYS = [*SMALL[:2], "train.images_per_epoch=6", "train.threads=1", "train.warmup_epochs=0.4"]

OTHER_WEIGHTS: dict[str, str] = {
    "image_size": "[64, 32]", "epochs": "2", "images_per_epoch": "8", "batch_size": "4", "accumulate": "2",
    "loss": "focal", "label_smoothing": "0.2", "class_weight_power": "1.0", "optimizer": "sgd",
    "learning_rate": "1e-3", "weight_decay": "0.5", "encoder_factor": "0.1", "layer_decay": "0.5", "schedule": "poly",
    "warmup_epochs": "0", "clip_norm": "0.01", "ema_decay": "0.9", "precision": "bf16",
}  # fmt: skip
"""Keys of `train` that change what is learnt, with another value than the base's."""

SAME_WEIGHTS: dict[str, str] = {"workers": "1", "cache_gb": "0", "fused": "false", "overlay_every": "1"}
"""Keys of speed and looks: not a bit of the weights may change on the CPU."""

ELSEWHERE = {
    "balance_power": "tests/data/test_training_data.py: images of rare classes weigh more",
    "mix": "sets of the pipeline: tests/tasks/test_train.py",
    "start_from_teacher": "later rounds: tests/tasks/test_train.py",
    "student_epochs": "later rounds: tests/tasks/test_train.py",
    "real_epochs": "later rounds: tests/tasks/test_train.py",
    "validate_every": "below: fewer rows have a mIoU",
    "patience": "tests/training/test_loop.py: it stops early",
    "soup": "tests/training/test_soup.py",
    "keep_last": "below: the last epoch's weights are there or not, and predict is told to use them",
    "channels_last": "another order of sums: benchmarks/training.py",
    "compile": "benchmarks/training.py",
    "threads": "another order of sums, set in every test",
}

AUGMENT: dict[str, str] = {
    "horizontal_flip": "1", "vertical_flip": "1", "rotate90": "1", "geometry": "0", "scale_min": "0.2",
    "scale_max": "4", "aspect": "2", "rotate_degrees": "90", "shift": "0.5", "perspective": "1", "elastic": "1",
    "elastic_fraction": "0.2", "grid_dropout": "1", "grid_holes": "0.8", "light": "1", "light_range": "0.9",
    "to_gray": "1", "blur": "1", "online_copy_paste": "1", "cut_mix": "1", "class_mix": "1",
}  # fmt: skip
EVERYTHING_ON = ["elastic", "grid_dropout", "light", "geometry"]
"""Probabilities that the sizes of their steps need to show."""


@pytest.fixture(scope="module")
def weights(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:  # noqa: F811
    """Trains with some flags changed and keys set, and gives the bytes of weights and history; each way only once."""
    root = tmp_path_factory.mktemp("trained")
    known: dict[str, bytes] = {}

    def run(*keys: str, **flags: Any) -> bytes:
        label = json.dumps([keys, {name: str(value) for name, value in flags.items()}])
        if label not in known:
            out = root / str(len(known))
            given = {**BASE, **flags}
            files = {"train_json": own / "train.json", "val_json": own / "val.json", "images": own / "photos"}
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(root)
                train(**files, out=out, **given, set_=[*KEYS, *keys])
            known[label] = (out / "weights.safetensors").read_bytes() + (out / "history.csv").read_bytes()
        return known[label]

    return run


def test_no_key_is_forgotten() -> None:
    assert set(TrainConfig.model_fields) == {*OTHER_WEIGHTS, *SAME_WEIGHTS, *ELSEWHERE}
    assert set(AugmentConfig.model_fields) == set(AUGMENT)


@pytest.mark.parametrize("key", OTHER_WEIGHTS)
def test_a_key_of_train_changes_what_is_learnt(weights: Callable[..., bytes], key: str) -> None:
    assert weights(f"train.{key}={OTHER_WEIGHTS[key]}") != weights()


@pytest.mark.parametrize("key", SAME_WEIGHTS)
def test_a_key_of_speed_changes_no_bit(weights: Callable[..., bytes], key: str) -> None:
    assert weights(f"train.{key}={SAME_WEIGHTS[key]}") == weights()


@pytest.mark.parametrize("key", AUGMENT)
def test_a_key_of_augment_changes_what_is_learnt(weights: Callable[..., bytes], key: str) -> None:
    on = [f"augment.{name}=1" for name in EVERYTHING_ON if name != key]
    assert weights(*on, f"augment.{key}={AUGMENT[key]}") != weights(*on)


@pytest.mark.parametrize(
    "flags",
    [
        {"model": "fpn"}, {"encoder": "tu-resnet10t"}, {"loss": "focal"}, {"optimizer": "radam"},
        {"schedule": "one_cycle"}, {"epochs": 2}, {"batch_size": 4}, {"image_size": 64}, {"learning_rate": 2e-3},
        {"seed": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_flag_changes_what_is_learnt(weights: Callable[..., bytes], flags: dict[str, Any]) -> None:
    keys = ["network.options={}"] if "model" in flags else []
    assert weights(*keys, **flags) != weights(*keys)


def test_workers_change_no_bit(weights: Callable[..., bytes]) -> None:
    assert weights(workers=1) == weights()


def test_flags_of_files(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    files = {"train_json": own / "train.json", "val_json": own / "val.json", "images": own / "photos"}
    params = {"models": ["b"], "networks": {"a": {}, "b": {"architecture": "fpn", "encoder": BASE["encoder"]}}}
    Path("mine.yaml").write_text(yaml.safe_dump({**params, "train": {"image_size": [32, 32], "validate_every": 2}}))
    given = {**BASE, "model": None, "image_size": None, "epochs": 2, "params": Path("mine.yaml")}
    keys = ["network.encoder_weights=null", "train.threads=1"]
    train(**files, out=Path("first"), **given, figures=Path("figures.jsonl"), set_=keys)
    description = read_description(Path("first"))
    assert description.architecture.name == "fpn" and description.image_size == (32, 32)
    assert [line.split(",")[3] != "" for line in Path("first/history.csv").read_text().splitlines()[1:]] == [
        False,
        True,
    ]
    assert len(Path("figures.jsonl").read_text().splitlines()) == 2
    given |= {"start_from": Path("first"), "learning_rate": 1e-12}
    train(**files, out=Path("second"), **given, set_=keys)
    for mine, other in zip(
        load_model(Path("first"))[0].parameters(), load_model(Path("second"))[0].parameters(), strict=True
    ):
        assert (mine - other).abs().max() < 1e-5
    with pytest.raises(InputError, match=r"another architecture|has shape"):
        train(**files, out=Path("third"), **{**given, "model": "unet"}, set_=keys)


def test_encoder_weights_of_a_file(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from safetensors.torch import save_file

    from trashseg.models.networks import Architecture, build_network

    monkeypatch.chdir(tmp_path)
    encoder = build_network(Architecture("unet", BASE["encoder"]), 3).encoder
    save_file(encoder.state_dict(), "encoder.safetensors")
    files = {"train_json": own / "train.json", "val_json": own / "val.json", "images": own / "photos"}
    for out, pretrained in (("with", "encoder.safetensors"), ("without", "none")):
        train(
            **files,
            **BASE,
            out=Path(out),
            encoder_weights=pretrained,
            set_=[key for key in KEYS if "_weights" not in key],
        )
    assert Path("with/weights.safetensors").read_bytes() != Path("without/weights.safetensors").read_bytes()


def test_the_last_weights_are_kept_and_used(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    files = {"train_json": own / "train.json", "val_json": own / "val.json", "images": own / "photos"}
    keys = [*KEYS, "train.learning_rate=1e-2", "train.validate_every=2"]  # of three epochs the second is the best
    for out, kept in (("with", "true"), ("without", "false")):
        train(**files, **{**BASE, "epochs": 3}, out=Path(out), set_=[*keys, f"train.keep_last={kept}"])
    assert {path.name for path in Path("with").iterdir()} - {path.name for path in Path("without").iterdir()} == {LAST}
    assert Path("with/weights.safetensors").read_bytes() == Path("without/weights.safetensors").read_bytes()
    best, last = (load_model(Path(name))[0] for name in ("with", f"with/{LAST}"))
    assert any(not torch.equal(a, b) for a, b in zip(best.parameters(), last.parameters(), strict=True))
    for name in ("with", f"with/{LAST}"):
        predict(own / "photos", model=[Path(name)], out=Path(f"found-{Path(name).name}"), probabilities=True)
    assert (
        Path("found-with/probabilities/0.probs").read_bytes()
        != Path(f"found-{LAST}/probabilities/0.probs").read_bytes()
    )
    given = {**BASE, "learning_rate": 1e-12, "start_from": Path(f"with/{LAST}")}
    train(**files, **given, out=Path("on"), set_=KEYS)
    for mine, other in zip(load_model(Path("on"))[0].parameters(), last.parameters(), strict=True):
        assert (mine - other).abs().max() < 1e-5
    with pytest.raises(InputError, match=r"without/last\.safetensors: no such file of weights"):
        predict(own / "photos", model=[Path("without/last.safetensors")], out=Path("none"))


@pytest.mark.parametrize("content", ["photos", "model.json"])
def test_a_folder_that_is_no_model_is_not_replaced(own: Path, tmp_path: Path, content: str) -> None:  # noqa: F811
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / content).write_text("mine")
    files = {"train_json": own / "train.json", "val_json": own / "val.json", "images": own / "photos"}
    if content == "model.json":
        train(**files, **BASE, out=tmp_path / "there", set_=KEYS, dry_run=True)
    else:
        with pytest.raises(InputError, match="is no model folder; name a new one"):
            train(**files, **BASE, out=tmp_path / "there", set_=KEYS, dry_run=True)
    assert (tmp_path / "there" / content).read_text() == "mine"
