"""What a training remembers: its history, its best weights, and the checkpoint to resume from.

One folder per training, outside of DVC's outs (those are deleted before a
stage runs): `last.ckpt` after every epoch, and the best weights so far under
their epoch's number. Both are written whole and renamed, the weights first
and the checkpoint that speaks of them after, so a kill at any moment leaves
the last complete epoch.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from safetensors.torch import save

from trashseg.evaluation.confusion import iou_per_class, mean_iou
from trashseg.io import write_bytes
from trashseg.training.module import SegmentationTraining

LAST = "last.ckpt"
LOG_EVERY_S = 5.0

EpochListener = Callable[[int, Mapping[str, float]], None]
"""Told each epoch's figures: those of the history, `iou/INDEX`, images_per_s and memory_mb."""


class Journal(pl.Callback):
    """Records each epoch, keeps the best weights by mIoU, saves the checkpoint, and stops where told to."""

    def __init__(self, folder: Path, epochs: int, patience: int = 0, listeners: tuple[EpochListener, ...] = ()) -> None:
        self.folder, self.epochs, self.patience, self.listeners = folder, epochs, patience, listeners
        self.history: list[dict[str, float | int | None]] = []
        self.best: dict[str, Any] = {"epoch": -1, "miou": -1.0, "counts": None}
        self.stale = 0
        self._started = self._epoch_started = self._logged = time.monotonic()
        self._first_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        """Plain values that go into the checkpoint."""
        return {"history": self.history, "best": self.best, "stale": self.stale}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What a resumed training starts with."""
        self.history, self.best = list(state_dict["history"]), dict(state_dict["best"])
        self.stale = int(state_dict["stale"])

    def best_weights(self) -> Path:
        """The file of the best weights so far."""
        return self.folder / f"best-{self.best['epoch']:04d}.safetensors"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self._started, self._first_epoch = time.monotonic(), trainer.current_epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self._epoch_started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationTraining)
        seconds = time.monotonic() - self._epoch_started
        row = self._row(trainer, pl_module)
        self.history.append(row)
        if row["val_miou"] is not None:
            self._judge(trainer, pl_module, int(trainer.current_epoch), float(row["val_miou"]))
        trainer.save_checkpoint(
            self.folder / LAST, weights_only=False
        )  # on every process: Lightning gathers, one writes
        if trainer.is_global_zero:
            self._drop_old_weights()
            self._tell(trainer, pl_module, row, seconds)
        if self.patience and self.stale >= self.patience:
            trainer.should_stop = True

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
        """Keep the weights of a better epoch; count those that are none."""
        self.stale += 1
        if miou <= self.best["miou"]:
            return
        self.stale = 0
        self.best = {"epoch": epoch, "miou": miou, "counts": self._counts.tolist()}
        if trainer.is_global_zero:
            save_weights(self.best_weights(), module)

    def _drop_old_weights(self) -> None:
        for path in self.folder.glob("best-*.safetensors"):
            if path != self.best_weights():
                path.unlink(missing_ok=True)

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
        for listener in self.listeners:
            listener(epoch, figures)
        now = time.monotonic()
        if now - self._logged < LOG_EVERY_S and epoch + 1 < self.epochs:
            return
        self._logged = now
        left = (now - self._started) / (epoch + 1 - self._first_epoch) * (self.epochs - epoch - 1)
        miou = "" if row["val_miou"] is None else f", mIoU {row['val_miou']:.3f} (best {self.best['miou']:.3f})"
        done = f"epoch {epoch + 1}/{self.epochs}: loss {row['train_loss']:.3f}{miou}"
        print(f"{done}, {rate:.1f} images/s, {left:.0f} s left", file=sys.stderr)


def save_weights(path: Path, module: SegmentationTraining) -> None:
    """The network's tensors as safetensors, on the CPU."""
    state = module.shown_network().body.state_dict()
    write_bytes(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def memory_mb(device: torch.device) -> float:
    """The peak memory: of the GPU that torch allocated, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
