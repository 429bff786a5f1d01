"""A live bar of a training on a terminal; a log gets the journal's lines instead."""

import sys
import time
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from trashseg.training.journal import Journal
from trashseg.training.module import SegmentationTraining

REFRESH_S = 0.5
"""Reading the loss waits for a GPU: not at every step."""


class ProgressBar(pl.Callback):
    """Batches of the whole training, time left, images per second, loss, and mIoU with the best so far."""

    def __init__(self, journal: Journal, console: Console | None = None) -> None:
        """`journal` has the scores; `console` is where the bar is drawn: stderr."""
        self._journal = journal
        self.console = console or Console(stderr=True)
        self._shown = 0.0

    @staticmethod
    def wanted() -> bool:
        """Whether stderr is a terminal."""
        return sys.stderr.isatty()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Draw the bar, at the batch that a resumed training starts from."""
        per_epoch = int(trainer.num_training_batches)
        self._first = trainer.current_epoch * per_epoch
        self._start = time.monotonic()
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        self._progress = Progress(*columns, console=self.console, disable=not trainer.is_global_zero)
        total = self._journal.epochs * per_epoch
        self._task = self._progress.add_task("", total=total, completed=self._first, epoch="", figures="")
        self._progress.start()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Move on; the figures are read now and then."""
        now = time.monotonic()
        if now - self._shown < REFRESH_S:
            self._progress.advance(self._task)
            return
        self._shown = now
        assert isinstance(pl_module, SegmentationTraining) and trainer.train_dataloader is not None
        done = trainer.current_epoch * int(trainer.num_training_batches) + trainer.fit_loop.epoch_loop.batch_idx + 1
        batch = int(trainer.train_dataloader.batch_size or 1) * trainer.world_size
        rate = (done - self._first) * batch / max(now - self._start, 1e-9)
        loss = float(pl_module.loss_sum / max(1, pl_module.loss_steps))
        figures = f"{rate:.1f} images/s, loss {loss:.3f}{self._score()}"
        epoch = f"{trainer.current_epoch + 1}/{self._journal.epochs}"
        self._progress.update(self._task, completed=done, epoch=epoch, figures=figures)

    def _score(self) -> str:
        scores = [row["val_miou"] for row in self._journal.history if row["val_miou"] is not None]
        return f", mIoU {scores[-1]:.3f} (best {self._journal.best['miou']:.3f})" if scores else ""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Leave the last state on the terminal."""
        self._progress.update(self._task, figures=self._score().removeprefix(", "))
        self._progress.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Give the terminal back."""
        if hasattr(self, "_progress"):
            self._progress.stop()
