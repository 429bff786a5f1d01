"""Losses that judge each pixel by itself.

All take logits_BCHW (float) and target_BHW (int64, classes 0..C-1 or VOID),
give a scalar, and ignore VOID: those pixels carry no gradient, and a batch
without any other pixel gives a finite zero.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trashseg.classes import VOID


def mean_of_labelled(loss_BHW: Tensor, weight_BHW: Tensor) -> Tensor:
    """The weighted mean, and zero (with a gradient of zero) where all weights are zero."""
    return (loss_BHW * weight_BHW).sum() / weight_BHW.sum().clamp_min(1e-6)


def pixel_weights(target_BHW: Tensor, weight_C: Tensor | None) -> Tensor:
    """The weight of each pixel's class, 0 for VOID, float32."""
    labelled_BHW = target_BHW != VOID
    if weight_C is None:
        return labelled_BHW.float()
    return weight_C.to(target_BHW.device)[target_BHW * labelled_BHW] * labelled_BHW


def cross_entropy(
    logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy, weighted by class; `smoothing` in [0, 1) spreads that share of the label over all classes."""
    if weight_C is not None:
        weight_C = weight_C.to(logits_BCHW)
    sum_ = functional.cross_entropy(
        logits_BCHW, target_BHW, weight_C, ignore_index=VOID, reduction="sum", label_smoothing=smoothing
    )
    return sum_ / pixel_weights(target_BHW, weight_C).sum().clamp_min(1e-6)


def soft_cross_entropy(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None) -> Tensor:
    """Cross-entropy against labels smoothed by 0.1 ("SoftCE")."""
    return cross_entropy(logits_BCHW, target_BHW, weight_C, smoothing=0.1)


def pixel_cross_entropy(logits_BCHW: Tensor, target_BHW: Tensor) -> Tensor:
    """The cross-entropy of each pixel (B, H, W), 0 at VOID."""
    return functional.cross_entropy(logits_BCHW, target_BHW, ignore_index=VOID, reduction="none")


def focal(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al. 2017, arXiv:1708.02002): cross-entropy times (1 - p)^gamma."""
    loss_BHW = pixel_cross_entropy(logits_BCHW, target_BHW)
    # 1 - p; clamped because the power's gradient is infinite at 0 for gamma < 1
    miss_BHW = -torch.expm1(-loss_BHW)
    return mean_of_labelled(loss_BHW * miss_BHW.clamp_min(1e-6) ** gamma, pixel_weights(target_BHW, weight_C))


def ohem(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None, share: float = 0.25) -> Tensor:
    """Online hard example mining (Shrivastava et al. 2016): the mean of the hardest `share` of labelled pixels."""
    weight_BHW = pixel_weights(target_BHW, weight_C)
    loss_N = (pixel_cross_entropy(logits_BCHW, target_BHW) * weight_BHW).flatten()
    kept = max(1, int(share * int((target_BHW != VOID).sum())))
    hard_N, position_N = loss_N.topk(kept)
    return hard_N.sum() / weight_BHW.flatten()[position_N].sum().clamp_min(1e-6)
