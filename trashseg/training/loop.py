"""One training from start, or from its last checkpoint, to its best weights."""

import logging
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from trashseg.models.model_folder import LAST_WEIGHTS, save_weights
from trashseg.models.networks import SegmentationNetwork
from trashseg.models.optimizers import build_optimizer, parameter_groups
from trashseg.models.schedulers import build_schedule
from trashseg.training.config import TrainConfig
from trashseg.training.failures import told
from trashseg.training.journal import LAST, NOBODY, Journal, Listeners
from trashseg.training.loaders import Material, batch_mixer, prepare, processes, training_loader, validation_loader
from trashseg.training.module import SegmentationTraining, Showing, shown_photos
from trashseg.training.progress_bar import ProgressBar
from trashseg.training.sets import ExampleSet
from trashseg.training.soup import Soup, greedy_soup


@dataclass(frozen=True)
class Outcome:
    """A finished training: its history, and the epoch, counts (2, C, C) and file of the best weights.

    `soup` is told where one was tried; the counts and weights are its own where it was better. `last_weights`
    are those of the last epoch, where they are kept.
    """

    history: Sequence[dict[str, float | int | None]]
    best_epoch: int
    best_counts: NDArray[np.int64]
    best_weights: Path
    soup: Soup | None = None
    last_weights: Path | None = None


def fit(
    network: SegmentationNetwork,
    sets: Sequence[ExampleSet],
    validation: Sequence[Example],
    config: TrainConfig,
    augment: AugmentConfig,
    epochs: int,
    seed: int,
    folder: Path,
    listeners: Listeners = NOBODY,
    paste: Paste | None = None,
) -> Outcome:
    """Train `network` in place; `folder` keeps the checkpoint, and an interrupted training goes on from it.

    The same arguments give the same weights on the CPU, interrupted or not,
    whatever the number of loading processes. Where memory runs out, batches
    are halved and more of them accumulated, from the last checkpoint on.
    A full disk, a loading process that dies and a loss that is no number are
    `InputError`s, and leave the last good checkpoint whole.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    material = prepare(sets, validation, network.classes, config)
    beginning = {name: tensor.clone() for name, tensor in network.body.state_dict().items()}
    while True:
        try:
            with told(folder):
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
    if processes()[1] > 1:  # the others wait in the step that this process left
        raise InputError(
            f"out of memory in one of {processes()[1]} processes; set train.batch_size {config.batch_size // 2} "
            f"and train.accumulate {config.accumulate * 2}"
        )
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
    listeners: Listeners,
    paste: Paste | None,
) -> Outcome:
    training = training_loader(material, config, augment, seed, paste)
    held_out = validation_loader(material, config)
    weight_C = class_weights(torch.from_numpy(material.pixels_C), config.class_weight_power)
    module = make_module(network, config, augment, weight_C, epochs * len(training) // config.accumulate, epochs, seed)
    module.showing = Showing(
        shown_photos(len(material.validation.examples)), config.overlay_every, config.validate_every, epochs
    )
    journal = Journal(folder, epochs, config.patience, max(1, config.soup), listeners)
    with quiet():
        bars: list[pl.Callback] = [ProgressBar(journal)] if ProgressBar.wanted() else []
        trainer = make_trainer(config, epochs, [journal, *bars], folder)
        trainer.fit(module, training, held_out, ckpt_path=resumable(folder / LAST), weights_only=True)
        if journal.best["epoch"] < 0:
            raise InputError(_never_validated(config, epochs))
        best_counts, best_weights = np.asarray(journal.best["counts"], np.int64), journal.best_weights()
        last_weights = folder / LAST_WEIGHTS if config.keep_last else None
        if last_weights is not None and trainer.is_global_zero:
            save_weights(last_weights, module.shown_network().body.state_dict())
        soup = greedy_soup(trainer, module, held_out, journal) if len(journal.kept) > 1 else None
    if soup is not None and soup.weights is not None:
        best_counts, best_weights = soup.counts, soup.weights
    return Outcome(journal.history, int(journal.best["epoch"]), best_counts, best_weights, soup, last_weights)


def _never_validated(config: TrainConfig, epochs: int) -> str:
    if config.validate_every > epochs:
        return f"train.validate_every is {config.validate_every}, expected at most the {epochs} epochs"
    return "no validation image has a labelled pixel, expected some to score on"


def check_names(config: TrainConfig) -> None:
    """Raise `InputError` for a loss, schedule or optimiser that nobody knows, before anything is read."""
    build_loss(config.loss)
    build_schedule(config.schedule, 1)
    nobody = [torch.nn.Parameter(torch.zeros(1))]
    build_optimizer(config.optimizer, [{"params": nobody}], config.learning_rate, config.weight_decay)


def resumable(checkpoint: Path) -> str | None:
    """The checkpoint of an interrupted training, where there is one; `InputError` where it is no whole file."""
    if not checkpoint.is_file():
        return None
    if not zipfile.is_zipfile(checkpoint):
        raise InputError(f"{checkpoint}: no whole checkpoint (truncated?); remove its folder to train from the start")
    return str(checkpoint)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Lightning says of itself and of torch's loaders: it is no news to whoever trains."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*|torch\.utils\.data.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def make_trainer(config: TrainConfig, epochs: int, callbacks: list[pl.Callback], folder: Path) -> pl.Trainer:
    """Lightning's trainer; under torchrun it joins the other processes by DDP."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp_find_unused_parameters_true" if world > 1 else "auto",  # smp's EfficientNets have some
        precision=_precision(config.precision),
        max_epochs=epochs,
        check_val_every_n_epoch=config.validate_every,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip_norm or None,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=folder,
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
