"""One training from start, or from its last checkpoint, to its best weights."""

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Example, Paste
from trashseg.errors import InputError
from trashseg.models.losses import build_loss, class_weights
from trashseg.models.networks import SegmentationNetwork
from trashseg.models.optimizers import build_optimizer, parameter_groups
from trashseg.models.schedulers import build_schedule
from trashseg.training.config import TrainConfig
from trashseg.training.journal import LAST, EpochListener, Journal
from trashseg.training.loaders import Material, batch_mixer, prepare, training_loader, validation_loader
from trashseg.training.module import SegmentationTraining
from trashseg.training.sets import ExampleSet


@dataclass(frozen=True)
class Outcome:
    """A finished training: its history, and the epoch, counts (2, C, C) and file of the best weights."""

    history: Sequence[dict[str, float | int | None]]
    best_epoch: int
    best_counts: NDArray[np.int64]
    best_weights: Path


def fit(
    network: SegmentationNetwork,
    sets: Sequence[ExampleSet],
    validation: Sequence[Example],
    config: TrainConfig,
    augment: AugmentConfig,
    epochs: int,
    seed: int,
    folder: Path,
    listeners: tuple[EpochListener, ...] = (),
    paste: Paste | None = None,
) -> Outcome:
    """Train `network` in place; `folder` keeps the checkpoint, and an interrupted training goes on from it.

    The same arguments give the same weights on the CPU, interrupted or not,
    whatever the number of loading processes. Where memory runs out, batches
    are halved and more of them accumulated, from the last checkpoint on.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    material = prepare(sets, validation, network.classes, config)
    beginning = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    while True:
        try:
            return _train(network, material, config, augment, epochs, seed, folder, listeners, paste)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        config = halved(config)
        network.body.load_state_dict(beginning)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch could not get memory, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def halved(config: TrainConfig) -> TrainConfig:
    """Batches of half the size and twice as many to an update; a batch of one cannot be halved."""
    if config.batch_size == 1:
        size = "x".join(map(str, config.image_size))
        raise InputError(f"out of memory with train.batch_size 1 at {size}; use a smaller train.image_size or network")
    smaller = config.model_copy(update={"batch_size": config.batch_size // 2, "accumulate": config.accumulate * 2})
    print(
        f"out of memory: batches of {smaller.batch_size} instead of {config.batch_size}, "
        f"{smaller.accumulate} to an update, from the last checkpoint on",
        file=sys.stderr,
    )
    return smaller


def _train(
    network: SegmentationNetwork,
    material: Material,
    config: TrainConfig,
    augment: AugmentConfig,
    epochs: int,
    seed: int,
    folder: Path,
    listeners: tuple[EpochListener, ...],
    paste: Paste | None,
) -> Outcome:
    training = training_loader(material, config, augment, seed, paste)
    held_out = validation_loader(material, config)
    weight_C = class_weights(torch.from_numpy(material.pixels_C), config.class_weight_power)
    module = make_module(network, config, augment, weight_C, epochs * len(training) // config.accumulate, epochs, seed)
    journal = Journal(folder, epochs, config.patience, listeners)
    trainer = make_trainer(config, epochs, journal)
    checkpoint = folder / LAST
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*|torch\.utils\.data.*")
        resumed = str(checkpoint) if checkpoint.is_file() else None
        trainer.fit(module, training, held_out, ckpt_path=resumed, weights_only=True)
    if journal.best["epoch"] < 0:
        raise InputError(f"train.validate_every is {config.validate_every}, expected at most the {epochs} epochs")
    counts = np.asarray(journal.best["counts"], np.int64)
    return Outcome(journal.history, int(journal.best["epoch"]), counts, journal.best_weights())


def make_trainer(config: TrainConfig, epochs: int, journal: Journal) -> pl.Trainer:
    """Lightning's trainer; under torchrun it joins the other processes by DDP."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp" if world > 1 else "auto",
        precision=_precision(config.precision),
        max_epochs=epochs,
        check_val_every_n_epoch=config.validate_every,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip_norm or None,
        callbacks=[journal],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=journal.folder,
    )


def _precision(name: str) -> Any:
    if name == "auto":
        name = "bf16" if torch.cuda.is_available() else "32"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[name]


def make_module(
    network: SegmentationNetwork,
    config: TrainConfig,
    augment: AugmentConfig,
    weight_C: torch.Tensor | None,
    updates: int,
    epochs: int,
    seed: int,
) -> SegmentationTraining:
    """The Lightning module of a configuration; `updates` is how often the optimiser steps in all."""
    loss = build_loss(config.loss, weight_C, config.label_smoothing)
    schedule = build_schedule(config.schedule, updates, round(config.warmup_epochs * updates / epochs))
    if config.channels_last:
        network = network.to(memory_format=torch.channels_last)

    def make_optimizer(trained: SegmentationNetwork) -> torch.optim.Optimizer:
        groups = parameter_groups(
            trained, config.learning_rate, config.weight_decay, config.encoder_factor, config.layer_decay
        )
        fused = config.fused and torch.cuda.is_available()
        return build_optimizer(config.optimizer, groups, config.learning_rate, config.weight_decay, fused)

    module = SegmentationTraining(
        network, loss, make_optimizer, schedule, seed, batch_mixer(augment, seed), config.ema_decay
    )
    if config.compile:
        module.compile_network()
    return module
