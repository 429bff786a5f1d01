"""Losses that judge each class's region as a whole.

The same terms as in `pixel_losses`. Overlaps are summed over the batch, and
only classes in the batch's labels count: an absent class has no region to
miss, and what it wrongly takes is another class's loss.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trashseg.classes import VOID


def overlaps(logits_BCHW: Tensor, target_BHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per class (C,): hits, false alarms and misses, in pixels of probability."""
    labelled_B1HW = (target_BHW != VOID).unsqueeze(1)
    probability_BCHW = logits_BCHW.float().softmax(1) * labelled_B1HW
    target_B1HW = (target_BHW.unsqueeze(1) * labelled_B1HW).long()
    truth_BCHW = torch.zeros_like(probability_BCHW).scatter_(1, target_B1HW, labelled_B1HW.float())
    hit_C = (probability_BCHW * truth_BCHW).sum((0, 2, 3))
    return hit_C, probability_BCHW.sum((0, 2, 3)) - hit_C, truth_BCHW.sum((0, 2, 3)) - hit_C


def _mean_over_present(score_C: Tensor, hit_C: Tensor, miss_C: Tensor, weight_C: Tensor | None) -> Tensor:
    """1 - the (weighted) mean score of classes in the labels; zero where there are none."""
    present_C = ((hit_C + miss_C) > 0).float().detach()
    if weight_C is not None:
        present_C = present_C * weight_C.to(present_C)
    return ((1 - score_C) * present_C).sum() / present_C.sum().clamp_min(1e-6)


def tversky(
    logits_BCHW: Tensor,
    target_BHW: Tensor,
    weight_C: Tensor | None = None,
    false_alarm: float = 0.3,
    miss: float = 0.7,
) -> Tensor:
    """Tversky loss (Salehi et al. 2017, arXiv:1706.05721): by default a miss costs more than a false alarm."""
    hit_C, alarm_C, miss_C = overlaps(logits_BCHW, target_BHW)
    score_C = hit_C / (hit_C + false_alarm * alarm_C + miss * miss_C).clamp_min(1e-6)
    return _mean_over_present(score_C, hit_C, miss_C, weight_C)


def dice(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None) -> Tensor:
    """Dice loss (Milletari et al. 2016, arXiv:1606.04797): 1 - twice the overlap over the sum of areas."""
    return tversky(logits_BCHW, target_BHW, weight_C, 0.5, 0.5)


def jaccard(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None) -> Tensor:
    """Soft Jaccard loss: 1 - overlap over union."""
    return tversky(logits_BCHW, target_BHW, weight_C, 1.0, 1.0)


def lovasz(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None = None) -> Tensor:
    """Lovasz-softmax (Berman et al. 2018, arXiv:1705.08790): a convex surrogate of the IoU itself."""
    classes = logits_BCHW.shape[1]
    probability_NC = logits_BCHW.float().softmax(1).movedim(1, -1).reshape(-1, classes)
    target_N = target_BHW.reshape(-1)
    labelled_N = target_N != VOID
    probability_NC, target_N = probability_NC[labelled_N], target_N[labelled_N]
    losses, weights = [logits_BCHW.sum() * 0.0], [torch.zeros(())]
    for index in torch.unique(target_N).tolist():
        truth_N = (target_N == index).float()
        error_N, order_N = (truth_N - probability_NC[:, index]).abs().sort(descending=True)
        weight = torch.ones(()) if weight_C is None else weight_C[index].cpu()
        losses.append(weight * (error_N @ _jaccard_gradient(truth_N[order_N])))
        weights.append(weight)
    return torch.stack(losses).sum() / torch.stack(weights).sum().clamp_min(1e-6).item()


def _jaccard_gradient(truth_N: Tensor) -> Tensor:
    """How much each error adds to 1 - IoU, for errors in descending order."""
    total = truth_N.sum()
    intersection_N = total - truth_N.cumsum(0)
    union_N = total + (1 - truth_N).cumsum(0)
    return functional.pad(1 - intersection_N / union_N, (1, 0)).diff()
