"""Mixing of images within a batch: cut-mix and class-mix.

B batch, C colours, H height, W width.
"""

import numpy as np
import torch
from torch import Tensor

from trashseg.classes import VOID


def cut_mix(image_BCHW: Tensor, mask_BHW: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Each image with a rectangle of the next one set in (Yun et al. 2019, arXiv:1905.04899).

    The rectangle has the same place in both and 10-50 % of the area.
    """
    height, width = mask_BHW.shape[-2:]
    paste_BHW = torch.zeros(mask_BHW.shape, dtype=torch.bool)
    for index in range(len(mask_BHW)):
        area, stretch = rng.uniform(0.1, 0.5), np.exp(rng.uniform(-0.5, 0.5))
        h = min(height, round(height * np.sqrt(area) * stretch))
        w = min(width, round(width * np.sqrt(area) / stretch))
        y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        paste_BHW[index, y : y + h, x : x + w] = True
    return _set_in(image_BCHW, mask_BHW, paste_BHW)


def class_mix(image_BCHW: Tensor, mask_BHW: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Each image with half the classes of the next one set in (Olsson et al. 2021, arXiv:2007.07936).

    Background stays where there is any other class: it is objects that are pasted.
    """
    paste_BHW = torch.zeros(mask_BHW.shape, dtype=torch.bool)
    for index, donor_HW in enumerate(mask_BHW.roll(-1, 0)):
        present = [value for value in np.unique(donor_HW.cpu().numpy()).tolist() if value not in (0, VOID)]
        chosen = rng.permutation(present)[: (len(present) + 1) // 2]
        for value in chosen:
            paste_BHW[index] |= donor_HW.cpu() == int(value)
    return _set_in(image_BCHW, mask_BHW, paste_BHW)


def _set_in(image_BCHW: Tensor, mask_BHW: Tensor, paste_BHW: Tensor) -> tuple[Tensor, Tensor]:
    paste_BHW = paste_BHW.to(mask_BHW.device)
    image_BCHW = torch.where(paste_BHW.unsqueeze(1), image_BCHW.roll(-1, 0), image_BCHW)
    return image_BCHW, torch.where(paste_BHW, mask_BHW.roll(-1, 0), mask_BHW)
