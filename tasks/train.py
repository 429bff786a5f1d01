"""Train one network on one fold in one round: `artifacts/train/{round}/{model}/{fold}`.

A later round starts from its teacher's weights and adds its pseudo labels; a
round whose pseudo labels were declined passes the teacher's model on. Under
torchrun (`torchrun --nproc-per-node 2 -m tasks.train ...`) the processes share
one training.
"""

import argparse
import hashlib
import shutil
from pathlib import Path

from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import load, read_section, read_value
from trashseg.data.instance_bank import PasteObjects, paste_from_fold
from trashseg.errors import InputError, nearest, run_command
from trashseg.io import read_json, write_json
from trashseg.models.config import NetworkConfig
from trashseg.models.model_folder import WEIGHTS
from trashseg.models.networks import Architecture
from trashseg.tracking import training_run
from trashseg.training.config import AugmentConfig, MixConfig, TrainConfig
from trashseg.training.journal import Listeners
from trashseg.training.loaders import is_first_process
from trashseg.training.session import Start, train_model
from trashseg.training.sets import (
    ExampleSet,
    FoldImages,
    labelled_examples,
    read_fold,
    read_pseudo_labels,
    synthetic_examples,
)

NO_TEACHER = "none"


def run(
    round_id: str,
    teacher: str,
    model: str,
    fold: int,
    seed: int,
    network: NetworkConfig,
    train: TrainConfig,
    augment: AugmentConfig,
) -> None:
    """Train, or pass the teacher's model on where the round's pseudo labels were declined."""
    folder = paths.train(round_id, model, fold)
    images = read_fold(paths.FOLDS, fold)
    pseudo = read_pseudo_labels(paths.pseudo_label(round_id, fold), paths.DATASET, images)
    taught = teacher != NO_TEACHER
    if taught and not pseudo.accepted:
        if is_first_process():
            pass_on(paths.train(teacher, model, fold), folder, teacher, pseudo.reason)
        return
    epochs = (train.student_epochs if taught else None) or train.epochs
    if taught and train.real_epochs >= epochs:
        raise InputError(f"train.real_epochs is {train.real_epochs}, expected fewer than a later round's {epochs}")
    sets = [
        *labelled_and_synthetic(images, train.mix),
        ExampleSet(pseudo.examples, train.mix.pseudo_label * pseudo.weight, epochs - train.real_epochs),
    ]
    validation = labelled_examples(images.validation, paths.DATASET / "images", paths.MASKS)
    initial = paths.train(teacher, model, fold) / WEIGHTS if taught and train.start_from_teacher else None
    start = Start(
        Architecture(network.architecture, network.encoder, network.options),
        network.encoder_weights if initial is None else None,
        read_classes(paths.DATASET / "classes.json"),
        initial,
    )
    facts = {"round": round_id, "teacher": teacher, "model": model, "fold": fold}
    facts["lineage_digest"] = lineage_digest(round_id, fold)
    settings = {
        "train": train.model_dump(),
        "augment": augment.model_dump(),
        "network": network.model_dump(),
        "seed": seed,
    }
    with training_run(round_id, model, fold, params=settings) as tracked:
        used = [part for part in sets if part.examples and part.weight]
        own_seed = training_seed(seed, round_id, model, fold)
        paste = online_copy_paste(fold, seed) if augment.online_copy_paste else None
        listeners = Listeners((tracked.log_epoch,), (tracked.log_answers,), (tracked.begin,))
        train_model(
            start, used, validation, train, augment, epochs, own_seed, folder, facts, listeners=listeners, paste=paste
        )
        if is_first_process():
            tracked.finish(folder)


def lineage_digest(round_id: str, fold: int) -> str:
    """A digest of what says where the derived images of this training come from."""
    folders = (paths.oversample(fold), paths.copy_paste(fold), paths.pseudo_label(round_id, fold))
    files = [folder / "lineage.json" for folder in folders]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def labelled_and_synthetic(images: FoldImages, mix: MixConfig) -> list[ExampleSet]:
    """The fold's own images and the sets made from them."""
    fold = images.fold
    return [
        ExampleSet(labelled_examples(images.training, paths.DATASET / "images", paths.MASKS), mix.labelled),
        ExampleSet(synthetic_examples(paths.oversample(fold), "oversample", images), mix.oversample),
        ExampleSet(synthetic_examples(paths.copy_paste(fold), "copy_paste", images), mix.copy_paste),
    ]


def online_copy_paste(fold: int, seed: int) -> PasteObjects:
    """Objects of the fold's training images, to be pasted anew in every epoch."""
    annotations = paths.FOLDS / f"kfold_{fold}_train.json"
    return paste_from_fold(annotations, paths.DATASET / "images", paths.MASKS, seed)


def pass_on(teacher_folder: Path, folder: Path, teacher: str, reason: str) -> None:
    """The teacher's model under this round's name; `model.json` says so."""
    description = read_json(teacher_folder / "model.json")
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(teacher_folder, temporary)
    try:
        description["training"] = {**description["training"], "passed_on_from": teacher, "reason": reason}
    except (TypeError, KeyError):
        raise InputError(f"{teacher_folder / 'model.json'}: expected a description with 'training'") from None
    write_json(temporary / "model.json", description)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def training_seed(seed: int, round_id: str, model: str, fold: int) -> int:
    """A seed of its own for every training, from the names and the pipeline's seed."""
    digest = hashlib.sha256(f"{seed}/{round_id}/{model}/{fold}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 2**31


def main() -> None:
    """Read params.yaml and run the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", required=True)
    parser.add_argument("--teacher", required=True, help="the round before, or none")
    parser.add_argument("--model", required=True, help="a key of networks in params.yaml")
    parser.add_argument("--fold", type=int, required=True)
    arguments = parser.parse_args()
    model = arguments.model
    networks = load().get("networks", {})
    if model not in networks:
        raise InputError(f"params.yaml: model {model!r} is not under networks{nearest(model, networks)}")
    run(
        arguments.round,
        arguments.teacher,
        model,
        arguments.fold,
        read_value("seed", int),
        read_section(f"networks.{model}", NetworkConfig),
        read_section("train", TrainConfig),
        read_section("augment", AugmentConfig),
    )


if __name__ == "__main__":
    run_command(main)
