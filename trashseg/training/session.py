"""From examples to a model folder, by way of a checkpoint folder that outlives a kill.

The checkpoint folder is named by a digest of everything the training was
told: other images, labels, settings, versions or code begin a new one, so a
resumed training is always the same training.

Under torchrun every process trains, and the first one alone writes.
"""

import hashlib
import json
import pickle
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import trashseg
from trashseg.classes import Classes
from trashseg.data.dataset import Example, Paste
from trashseg.evaluation.confusion import iou_per_class, mean_iou, pixel_accuracy
from trashseg.io import write_json, write_text
from trashseg.models.model_folder import LAST_WEIGHTS, ModelDescription, load_weights, save_model
from trashseg.models.networks import Architecture, SegmentationNetwork, build_network, check_size
from trashseg.training.config import AugmentConfig, TrainConfig
from trashseg.training.failures import told
from trashseg.training.journal import NOBODY, Listeners
from trashseg.training.loaders import is_first_process
from trashseg.training.loop import Outcome, check_names, fit
from trashseg.training.sets import ExampleSet

CHECKPOINTS = Path(".trashseg/checkpoints")

CODE = (
    "models",
    "training",
    "data/dataset.py",
    "data/transforms.py",
    "data/sampler.py",
    "data/mixing.py",
    "data/paste.py",
    "data/patch.py",
    "data/instance_bank.py",
)


@dataclass(frozen=True)
class Start:
    """What a training starts from: a network of these classes, new or with the weights of a file."""

    architecture: Architecture
    encoder_weights: str | None
    classes: Classes
    weights: Path | None = None


def train_model(
    start: Start,
    sets: Sequence[ExampleSet],
    validation: Sequence[Example],
    config: TrainConfig,
    augment: AugmentConfig,
    epochs: int,
    seed: int,
    folder: Path,
    facts: Mapping[str, Any],
    checkpoints: Path = CHECKPOINTS,
    listeners: Listeners = NOBODY,
    paste: Paste | None = None,
) -> None:
    """Train, or go on where a killed training stopped, and write the model folder `folder`.

    `facts` go into `model.json` (round, model, fold, seed). `paste` is the
    online copy-paste, used where `augment.online_copy_paste` says so. The
    checkpoint folder is removed once the model folder is whole.
    """
    network = build_checked(start, config, seed)
    data = data_digest([*(example for part in sets for example in part.examples), *validation])
    everything = {
        "start": [asdict(start.architecture), start.encoder_weights, _file_digest(start.weights), start.classes.names],
        "sets": [[len(part.examples), part.weight] for part in sets],
        "config": [config.model_dump(), augment.model_dump(), epochs, seed],
        "data": data,
        "paste": hashlib.sha256(pickle.dumps(paste)).hexdigest(),
        "code": code_digest(),
    }
    kept = checkpoints / hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:20]
    with told(kept):
        kept.mkdir(parents=True, exist_ok=True)
    if is_first_process():
        for listener in listeners.begin:
            listener(kept)
    outcome = fit(network, sets, validation, config, augment, epochs, seed, kept, listeners, paste)
    origins = {part.examples[0].origin: len(part.examples) for part in sets if part.examples}
    training = {**facts, "seed": seed, "epochs": epochs, "images": origins, "data_digest": data}
    description = ModelDescription(start.architecture, start.classes, config.image_size, training=training)
    if is_first_process():
        load_weights(network, outcome.best_weights)
        with told(kept):
            write_model_folder(folder, network, description, outcome)
        shutil.rmtree(kept)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()  # torchrun ends all processes when one has ended


def build_checked(start: Start, config: TrainConfig, seed: int) -> SegmentationNetwork:
    """The network to begin with, after the checks that need no data: names, and whether sizes fit."""
    check_names(config)
    network = build_seeded(start, seed)
    check_size(config.image_size, network, start.architecture.encoder, config.batch_size)
    return network


def build_seeded(start: Start, seed: int) -> SegmentationNetwork:
    """The network to begin with; its random weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(start.architecture, len(start.classes), start.encoder_weights)
    if start.weights is not None:
        load_weights(network, start.weights)
    return network


def write_model_folder(
    folder: Path, network: SegmentationNetwork, description: ModelDescription, outcome: Outcome
) -> None:
    """The best and the last weights, `model.json`, `history.csv` and `metrics.json`, whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    save_model(temporary, network, description)
    if outcome.last_weights is not None:
        shutil.copyfile(outcome.last_weights, temporary / LAST_WEIGHTS)
    write_history(temporary / "history.csv", outcome.history)
    write_json(temporary / "metrics.json", metrics(outcome, description.classes))
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(folder)


def write_history(path: Path, history: Sequence[Mapping[str, float | int | None]]) -> None:
    """One row per epoch; a value that was not measured is an empty cell."""
    lines = [",".join(history[0])]
    lines += [",".join("" if value is None else repr(value) for value in row.values()) for row in history]
    write_text(path, "\n".join(lines) + "\n")


def metrics(outcome: Outcome, classes: Classes) -> dict[str, Any]:
    """The scores of the best epoch; a class neither in the labels nor predicted is null and counts in no mean."""
    full, grid = outcome.best_counts
    ious = dict(zip(classes.names, iou_per_class(full).tolist(), strict=True))
    absent = [name for name, iou in ious.items() if np.isnan(iou)]
    soup = {} if outcome.soup is None else {"soup": outcome.soup.summary()}
    return {
        "miou": mean_iou(full),
        "miou_256": mean_iou(grid),
        "pixel_accuracy": pixel_accuracy(full),
        "epoch": outcome.best_epoch,
        "epochs": len(outcome.history),
        "per_class": {name: None if np.isnan(iou) else iou for name, iou in ious.items()},
        "absent_classes": absent,
        "confusion": full.tolist(),
        **soup,
    }


def data_digest(examples: Sequence[Example]) -> str:
    """A digest of all images, labels and their origins, in order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(f"{example.image_id} {example.origin} ".encode())
        for path in (example.image, example.mask):
            digest.update((_file_digest(path) or "").encode())
    return digest.hexdigest()


def code_digest() -> str:
    """A digest of the code that trains and of the versions of what it rests on."""
    root = Path(trashseg.__file__).parent
    digest = hashlib.sha256(" ".join(version(name) for name in ("torch", "lightning", "timm", "numpy")).encode())
    for place in CODE:
        files = [root / place] if place.endswith(".py") else sorted((root / place).glob("*.py"))
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _file_digest(path: Path | None) -> str | None:
    """The sha256 of a file; a missing one is told when it is read."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else None
