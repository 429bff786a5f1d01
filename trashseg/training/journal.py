"""What a training remembers: its history, its best weights, and the checkpoint to resume from.

One folder per training, outside of DVC's outs (those are deleted before a
stage runs): `last.ckpt` after every epoch, and the best weights so far under
their epoch's number. Both are written whole beside their place and renamed,
the weights first and the checkpoint that speaks of them after, so a kill or a
full disk at any moment leaves the last complete epoch.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from trashseg.evaluation.confusion import iou_per_class, mean_iou
from trashseg.models.model_folder import save_weights
from trashseg.training.module import Answer, SegmentationTraining

LAST = "last.ckpt"
LOG_EVERY_S = 5.0

EpochListener = Callable[[int, Mapping[str, float]], None]
"""Told each epoch's figures: those of the history, `iou/INDEX`, images_per_s and memory_mb."""

AnswerListener = Callable[[int, Sequence[Answer]], None]
"""Shown some held-out photos with truth and answer, at the epochs `overlay_every` chooses."""


BeginListener = Callable[[Path], None]
"""Told the checkpoint folder before anything is trained: what is left there is found when the training resumes."""


@dataclass(frozen=True)
class Listeners:
    """Who watches a training: its figures, its answers to a few photos, and that it begins."""

    figures: tuple[EpochListener, ...] = ()
    answers: tuple[AnswerListener, ...] = ()
    begin: tuple[BeginListener, ...] = ()

    def __add__(self, others: "Listeners") -> "Listeners":
        """All of both."""
        return Listeners(self.figures + others.figures, self.answers + others.answers, self.begin + others.begin)


NOBODY = Listeners()


class Journal(pl.Callback):
    """Records each epoch, keeps the best weights by mIoU, saves the checkpoint, and stops where told to."""

    def __init__(
        self, folder: Path, epochs: int, patience: int = 0, keep: int = 1, listeners: Listeners = NOBODY
    ) -> None:
        """`keep` is how many of the best epochs' weights are kept: one, or as many as a soup may be made of."""
        self.folder, self.epochs, self.patience, self.keep = folder, epochs, patience, keep
        self.listeners = listeners
        self.history: list[dict[str, float | int | None]] = []
        self.best: dict[str, Any] = {"epoch": -1, "miou": -1.0, "counts": None}
        self.kept: list[int] = []
        self.stale = 0
        self._started = self._epoch_started = self._logged = time.monotonic()
        self._first_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        """Plain values that go into the checkpoint."""
        return {"history": self.history, "best": self.best, "kept": self.kept, "stale": self.stale}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What a resumed training starts with."""
        self.history, self.best = list(state_dict["history"]), dict(state_dict["best"])
        self.kept, self.stale = list(state_dict["kept"]), int(state_dict["stale"])

    def weights(self, epoch: int) -> Path:
        """The file of an epoch's weights, while it is one of the best."""
        return self.folder / f"best-{epoch:04d}.safetensors"

    def best_weights(self) -> Path:
        """The file of the best weights so far."""
        return self.weights(self.best["epoch"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self._started, self._first_epoch = time.monotonic(), trainer.current_epoch
        self._stop_where_told(trainer)  # killed after the epoch that ended it, it must not go on

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self._epoch_started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationTraining)
        seconds = time.monotonic() - self._epoch_started
        row = self._row(trainer, pl_module)
        self.history.append(row)
        if row["val_miou"] is not None:
            self._judge(trainer, pl_module, int(trainer.current_epoch), float(row["val_miou"]))
        self._save_checkpoint(trainer)
        if trainer.is_global_zero:
            self._drop_old_weights()
            self._tell(trainer, pl_module, row, seconds)
            self._show(pl_module, int(trainer.current_epoch))
        self._stop_where_told(trainer)

    def _stop_where_told(self, trainer: pl.Trainer) -> None:
        if self.patience and self.stale >= self.patience:
            trainer.should_stop = True

    def _save_checkpoint(self, trainer: pl.Trainer) -> None:
        """Called on every process: Lightning gathers, one writes.

        To a name beside its place: Lightning's own temporary file lies in the
        system's folder, and moving it from another disk is no rename.
        """
        beside = self.folder / f".{LAST}.tmp"
        try:
            trainer.save_checkpoint(beside, weights_only=False)
            if trainer.is_global_zero:
                beside.replace(self.folder / LAST)
        finally:
            if trainer.is_global_zero:
                beside.unlink(missing_ok=True)

    def _row(self, trainer: pl.Trainer, module: SegmentationTraining) -> dict[str, float | int | None]:
        """One row of history.csv: only what the same params give again, so no times."""
        row: dict[str, float | int | None] = {
            "epoch": trainer.current_epoch,
            "train_loss": float(trainer.strategy.reduce(module.loss_sum / module.loss_steps, reduce_op="mean")),
            "val_loss": None,
            "val_miou": None,
            "val_miou_256": None,
            "lr": float(max(group["lr"] for group in trainer.optimizers[0].param_groups)),
        }
        counts = module.counts()
        if counts.any():
            row["val_loss"] = float(module.val_loss[0] / module.val_loss[1])
            row["val_miou"], row["val_miou_256"] = mean_iou(counts[0]), mean_iou(counts[1])
            module.reset_counts()
            self._counts = counts
        return row

    def _judge(self, trainer: pl.Trainer, module: SegmentationTraining, epoch: int, miou: float) -> None:
        """Keep the weights of the best epochs; count those that are not better than the best."""
        self.stale += 1
        if miou > self.best["miou"]:
            self.stale = 0
            self.best = {"epoch": epoch, "miou": miou, "counts": self._counts.tolist()}
        scores = {int(row["epoch"] or 0): row["val_miou"] or 0.0 for row in self.history}
        self.kept = sorted([*self.kept, epoch], key=lambda each: (-scores[each], each))[: self.keep]
        if epoch in self.kept and trainer.is_global_zero:
            save_weights(self.weights(epoch), module.shown_network().body.state_dict())

    def _drop_old_weights(self) -> None:
        kept = {self.weights(epoch) for epoch in self.kept}
        for path in self.folder.glob("best-*.safetensors"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _show(self, module: SegmentationTraining, epoch: int) -> None:
        answers = module.take_answers()
        for listener in self.listeners.answers if answers else ():
            listener(epoch, answers)

    def _tell(
        self, trainer: pl.Trainer, module: SegmentationTraining, row: Mapping[str, float | int | None], seconds: float
    ) -> None:
        """A line for the log, and everything for the listeners."""
        epoch = trainer.current_epoch
        assert trainer.train_dataloader is not None
        rate = len(trainer.train_dataloader.sampler) * trainer.world_size / max(seconds, 1e-9)
        figures = {key: float(value) for key, value in row.items() if value is not None and key != "epoch"}
        figures |= {"images_per_s": rate, "memory_mb": memory_mb(module.device)}
        if row["val_miou"] is not None:
            ious = iou_per_class(self._counts[0])
            figures |= {f"iou/{index}": float(iou) for index, iou in enumerate(ious) if not np.isnan(iou)}
        for listener in self.listeners.figures:
            listener(epoch, figures)
        if sys.stderr.isatty():  # there is a live bar
            return
        now = time.monotonic()
        if now - self._logged < LOG_EVERY_S and epoch + 1 < self.epochs:
            return
        self._logged = now
        left = (now - self._started) / (epoch + 1 - self._first_epoch) * (self.epochs - epoch - 1)
        miou = "" if row["val_miou"] is None else f", mIoU {row['val_miou']:.3f} (best {self.best['miou']:.3f})"
        done = f"epoch {epoch + 1}/{self.epochs}: loss {row['train_loss']:.3f}{miou}"
        print(f"{done}, {rate:.1f} images/s, {left:.0f} s left", file=sys.stderr)


def memory_mb(device: torch.device) -> float:
    """The peak memory: of the GPU that torch allocated, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
