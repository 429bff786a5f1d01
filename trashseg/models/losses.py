"""Losses by name, and weighted sums of them: `ce`, `ce+dice`, `0.5*focal+lovasz`."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from trashseg.errors import InputError, nearest
from trashseg.models import pixel_losses, region_losses

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

LOSSES: dict[str, Loss] = {
    "ce": pixel_losses.cross_entropy,
    "soft_ce": pixel_losses.soft_cross_entropy,
    "focal": pixel_losses.focal,
    "ohem": pixel_losses.ohem,
    "dice": region_losses.dice,
    "jaccard": region_losses.jaccard,
    "tversky": region_losses.tversky,
    "lovasz": region_losses.lovasz,
}


class WeightedSum(nn.Module):
    """A weighted sum of losses of logits_BCHW and target_BHW; VOID pixels are ignored.

    `weight_C` holds class weights, or None.
    """

    weight_C: Tensor | None

    def __init__(self, terms: Sequence[tuple[float, Loss]], weight_C: Tensor | None = None) -> None:
        super().__init__()
        self.terms = list(terms)
        self.register_buffer("weight_C", weight_C, persistent=False)

    def forward(self, logits_BCHW: Tensor, target_BHW: Tensor) -> Tensor:
        values = [factor * loss(logits_BCHW, target_BHW, self.weight_C) for factor, loss in self.terms]
        return torch.stack(values).sum()


def parse_loss(text: str) -> list[tuple[float, Loss]]:
    """The terms of `"0.5*ce+dice"`; `InputError` for an unknown name or a factor that is no positive number."""
    terms: list[tuple[float, Loss]] = []
    for term in text.lower().split("+"):
        factor, star, name = term.strip().rpartition("*")
        name = name.strip().replace("-", "_").removesuffix("loss").rstrip("_")
        if name not in LOSSES:
            known = ", ".join(LOSSES)
            raise InputError(f"loss {text!r}: {name!r} is unknown{nearest(name, LOSSES)}; expected one of {known}")
        terms.append((_factor(factor, text) if star else 1.0, LOSSES[name]))
    return terms


def _factor(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InputError(f"loss {whole!r}: factor {text.strip()!r} found, expected a positive number")
    return value


def build_loss(text: str, weight_C: Tensor | None = None, smoothing: float = 0.0) -> WeightedSum:
    """The loss of a name such as `ce+dice`; `smoothing` is the label smoothing of its `ce`."""

    def smoothed(logits_BCHW: Tensor, target_BHW: Tensor, weight_C: Tensor | None) -> Tensor:
        return pixel_losses.cross_entropy(logits_BCHW, target_BHW, weight_C, smoothing)

    terms = parse_loss(text)
    if smoothing:
        terms = [(factor, smoothed if loss is LOSSES["ce"] else loss) for factor, loss in terms]
    return WeightedSum(terms, weight_C)


def class_weights(pixels_C: Tensor, power: float) -> Tensor | None:
    """Weights (share of pixels)^-power with a mean of 1 over all pixels; None for power 0.

    `pixels_C` counts the training labels' pixels. An absent class weighs as
    the rarest present one: its pixels may yet come from synthetic images.
    """
    if power == 0:
        return None
    share_C = pixels_C.double() / pixels_C.sum().clamp_min(1)
    weight_C = share_C.clamp_min(float(share_C[share_C > 0].min())) ** -power
    return (weight_C / (weight_C * share_C).sum()).float()
