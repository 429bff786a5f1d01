"""Confusion counts on the device: the torch twin of `evaluation.confusion.confusion_matrix`."""

import torch
from torch import Tensor

from trashseg.classes import VOID

GRID = 256
"""Side of the grid that submissions are scored on."""


def count(truth_HW: Tensor, prediction_HW: Tensor, classes: int) -> Tensor:
    """Pixel counts (C, C), int64: rows the true class, columns the predicted one; VOID truth is left out."""
    labelled = truth_HW != VOID
    pairs = truth_HW[labelled].long() * classes + prediction_HW[labelled].long()
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes)


def on_grid(mask_HW: Tensor, side: int) -> Tensor:
    """Every mask on a side x side grid by the nearest pixel above and left: `[::2, ::2]` for 512 on 256."""
    height, width = mask_HW.shape
    rows = torch.arange(side, device=mask_HW.device) * height // side
    columns = torch.arange(side, device=mask_HW.device) * width // side
    return mask_HW[rows][:, columns]
