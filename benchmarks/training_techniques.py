"""What each technique of training is worth on real photos: paired differences out of fold, with intervals.

Run in a checkout where the stages up to copy_paste have run on the photos
(`python -m flows.full_pipeline --preset real --until folds oversample copy_paste`). A base training has
none of the techniques; each other setting adds one to it, and `all` is what
the preset does. Seed s trains on the fold s modulo k and is scored on that
fold's held-out photos, at their own size, without TTA; a setting's trainings
share seeds, folds and initial weights with the base. Scores are pooled over
the seeds; an interval resamples groups of near-duplicates (95 %, bootstrap).

A soup needs each epoch's score to choose from, so it is held against the same
training with each epoch scored and the best one taken. It is made of, and kept
by its score on, the photos that it is scored on here, as that best epoch is:
what both flatter themselves by falls out of their difference only in part.

Finished trainings are kept in .trashseg/techniques and not done again.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.train import labelled_and_synthetic, online_copy_paste
from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import load, read_section
from trashseg.evaluation.confusion import confusion_matrix
from trashseg.evaluation.intervals import compare, miou_interval
from trashseg.inference.predict import Predictor, View
from trashseg.io import atomic, read_image, read_mask
from trashseg.models.config import NetworkConfig
from trashseg.models.model_folder import load_model
from trashseg.models.networks import Architecture
from trashseg.training.config import AugmentConfig, TrainConfig
from trashseg.training.session import Start, train_model
from trashseg.training.sets import FoldImages, labelled_examples, read_fold

KEPT = Path(".trashseg/techniques")

NO_AUGMENTATION = dict.fromkeys(
    ("geometry", "perspective", "elastic", "grid_dropout", "light", "to_gray", "blur", "online_copy_paste"), 0.0
)


@dataclass(frozen=True)
class Setting:
    """A training: what it changes in `augment`, `train` and `train.mix`, and the setting it is held against."""

    augment: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    mix: Mapping[str, float] = field(default_factory=dict)
    peer: str = "base"


STRONG = {name: AugmentConfig.model_fields[name].default for name in NO_AUGMENTATION}

MILD = {"geometry": 0.6, "scale_min": 0.75, "scale_max": 1.5, "light": 0.3}

LIGHT = {"light": 0.3}

CROPS = {"geometry": 0.6, "scale_min": 1.0, "scale_max": 1.5, "rotate_degrees": 0.0, "shift": 0.0}

SETTINGS: Mapping[str, Setting] = {
    "base": Setting(),
    "light": Setting(augment=LIGHT),
    "crops": Setting(augment=CROPS),
    "light and crops": Setting(augment={**LIGHT, **CROPS}),
    "strong augmentation": Setting(augment=STRONG),
    "mild augmentation": Setting(augment=MILD),
    "online copy-paste": Setting(augment={"online_copy_paste": 0.5}),
    "offline copy-paste": Setting(mix={"copy_paste": 0.5}),
    "oversampling": Setting(mix={"oversample": 0.5}),
    "balanced sampling": Setting(train={"balance_power": 0.5}),
    "class weights": Setting(train={"class_weight_power": 0.25}),
    "ce+dice": Setting(train={"loss": "ce+dice"}),
    "focal": Setting(train={"loss": "focal"}),
    "ce+lovasz": Setting(train={"loss": "ce+lovasz"}),
    "ema": Setting(train={"ema_decay": 0.999}),
    "each epoch scored": Setting(train={"validate_every": 1}),
    "soup": Setting(train={"validate_every": 1, "soup": 5}, peer="each epoch scored"),
    "all": Setting(
        augment=STRONG,
        train={"balance_power": 0.5, "class_weight_power": 0.25, "loss": "ce+dice"},
        mix={"copy_paste": 0.5, "oversample": 0.5},
    ),
}


def configs(setting: Setting, epochs: int, images: int) -> tuple[TrainConfig, AugmentConfig]:
    """The preset's sizes, with the techniques of `setting` alone."""
    base = read_section("train", TrainConfig).model_dump()
    mix = {"labelled": 1.0, "oversample": 0.0, "copy_paste": 0.0, "pseudo_label": 0.0, **setting.mix}
    sizes = {"epochs": epochs, "images_per_epoch": images, "validate_every": max(1, epochs // 4), "mix": mix}
    plain = {"balance_power": 0.0, "class_weight_power": 0.0, "loss": "ce"}
    train = TrainConfig.model_validate({**base, **plain, **sizes, **setting.train})
    return train, AugmentConfig.model_validate({**NO_AUGMENTATION, **setting.augment})


def train(folder: Path, images: FoldImages, setting: Setting, seed: int, epochs: int, per_epoch: int) -> None:
    """One training, into a model folder."""
    model = load()["models"][0]
    network = read_section(f"networks.{model}", NetworkConfig)
    settings, augment = configs(setting, epochs, per_epoch)
    start = Start(
        Architecture(network.architecture, network.encoder, network.options),
        network.encoder_weights,
        read_classes(paths.DATASET / "classes.json"),
    )
    sets = [part for part in labelled_and_synthetic(images, settings.mix) if part.weight]
    validation = labelled_examples(images.validation, paths.DATASET / "images", paths.MASKS)
    paste = online_copy_paste(images.fold, seed) if augment.online_copy_paste else None
    train_model(start, sets, validation, settings, augment, epochs, seed, folder, {}, paste=paste)


def score(folder: Path, images: FoldImages) -> NDArray[np.int64]:
    """One confusion matrix per held-out photo, at its own size."""
    network, description = load_model(folder)
    predictor = Predictor(network, description.image_size, View(), torch.device("cpu"))
    rows = labelled_examples(images.validation, paths.DATASET / "images", paths.MASKS)
    answers = predictor.probabilities(read_image(row.image) for row in rows)
    classes = len(description.classes)
    found = [
        confusion_matrix(read_mask(row.mask), answer.argmax(0).numpy().astype(np.uint8), classes)
        for row, answer in zip(rows, answers, strict=True)
    ]
    return np.stack(found)


def measured(name: str, seed: int, epochs: int, per_epoch: int) -> tuple[NDArray[np.int64], list[object]]:
    """The counts of one setting and seed, trained where they are not kept yet, and each photo's group."""
    images = read_fold(paths.FOLDS, seed % len(load()["folds"]))
    kept = KEPT / f"{name.replace(' ', '-')}-{seed}-{epochs}x{per_epoch}.npz"
    if not kept.is_file():
        start = time.monotonic()
        folder = kept.with_suffix("")
        train(folder, images, SETTINGS[name], seed, epochs, per_epoch)
        counts = score(folder, images)
        with atomic(kept) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, counts=counts)
        print(f"{name}, seed {seed}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    with np.load(kept) as content:
        return content["counts"], [row.get("group", row["id"]) for row in images.validation]


def main() -> None:
    """Train what lacks, seed by seed, and print the table after each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images-per-epoch", type=int, default=240)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=[*SETTINGS], metavar="SETTING")
    arguments = parser.parse_args()
    if not (paths.FOLDS / "kfold_0_train.json").is_file():
        print("training_techniques: skipped, no artefacts here; first run the stages up to copy_paste")
        return
    names = dict.fromkeys(each for name in ("base", *arguments.only) for each in (SETTINGS[name].peer, name))
    done: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
    groups: list[object] = []
    for seed in range(arguments.seeds):
        for name in names:
            counts, own = measured(name, seed, arguments.epochs, arguments.images_per_epoch)
            done[name].append(counts)
        groups += own
        show({name: np.concatenate(parts) for name, parts in done.items()}, groups, seed + 1)


def show(counts: Mapping[str, NDArray[np.int64]], groups: list[object], seeds: int) -> None:
    """mIoU of each setting, and its gain over its peer: the base, if nothing else is said."""
    print(f"\n{len(groups)} photos scored over {seeds} seeds")
    print(f"{'setting':22} {'mIoU':>6} {'95 %':>13}   {'gain':>7} {'95 %':>17} {'p':>6}")
    for name, counts_NCC in counts.items():
        own = miou_interval(counts_NCC, np.random.default_rng(0), groups)
        line = f"{name:22} {own.value:6.3f} {own.low:6.3f}-{own.high:.3f}"
        if name != "base":
            peer = SETTINGS[name].peer
            against = compare(counts[peer], counts_NCC, np.random.default_rng(0), groups)
            gain = against.gain
            line += f"   {gain.value:+7.4f} {gain.low:+8.4f} {gain.high:+8.4f} {against.p_value:6.3f}"
            line += f"   over {peer}" if peer != "base" else ""
        print(line, flush=True)


if __name__ == "__main__":
    main()
