"""The average of a training's best epochs, kept only where it scores better on the held-out fold.

A greedy soup (Wortsman et al. 2022, arXiv:2203.05482): from the best epoch on,
each next one is averaged in, and stays only where mIoU rises. Averages of
running statistics are taken like those of weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from trashseg.evaluation.confusion import mean_iou
from trashseg.models.model_folder import read_tensors, save_weights
from trashseg.training.journal import Journal
from trashseg.training.module import SegmentationTraining

SOUP = "soup.safetensors"


@dataclass(frozen=True)
class Soup:
    """The epochs tried and those averaged, the mIoU of the best single epoch and of the average.

    `weights` and `counts` (2, C, C) are the average's; `weights` is None where
    nothing was averaged, because no average was better.
    """

    tried: Sequence[int]
    epochs: Sequence[int]
    single_miou: float
    miou: float
    counts: NDArray[np.int64]
    weights: Path | None

    def summary(self) -> dict[str, Any]:
        """What metrics.json says of it."""
        return {
            "kept": self.weights is not None,
            "epochs": list(self.epochs),
            "tried": list(self.tried),
            "miou_of_best_epoch": self.single_miou,
            "miou": self.miou,
        }


def greedy_soup(trainer: pl.Trainer, module: SegmentationTraining, held_out: Any, journal: Journal) -> Soup:
    """Average the epochs that `journal` kept, best first, each only where the held-out mIoU gains."""
    body = module.shown_network().body
    used = [journal.kept[0]]
    best, counts = float(journal.best["miou"]), np.asarray(journal.best["counts"], np.int64)
    for epoch in journal.kept[1:]:
        body.load_state_dict(average([read_tensors(journal.weights(each)) for each in (*used, epoch)]))
        trainer.validate(module, held_out, verbose=False)
        found = module.counts()
        if mean_iou(found[0]) > best:
            used, best, counts = [*used, epoch], mean_iou(found[0]), found
    weights = journal.folder / SOUP if len(used) > 1 else None
    if weights is not None and trainer.is_global_zero:
        save_weights(weights, average([read_tensors(journal.weights(each)) for each in used]))
    return Soup(journal.kept, used, float(journal.best["miou"]), best, counts, weights)


def average(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of each tensor, in float64 for the sum; whole numbers (counts of batches) are the first one's."""
    mean = {}
    for name, first in states[0].items():
        if first.is_floating_point():
            total = torch.stack([state[name].double() for state in states]).mean(0)
            mean[name] = total.to(first.dtype)
        else:
            mean[name] = first
    return mean
