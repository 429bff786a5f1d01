"""Optimisers by name: torch's own, and timm's for all other names."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from trashseg.errors import InputError, nearest
from trashseg.models.networks import SegmentationNetwork

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "radam": torch.optim.RAdam,
    "sgd": torch.optim.SGD,
}


def build_optimizer(
    name: str,
    groups: list[dict[str, Any]],
    learning_rate: float,
    weight_decay: float,
    fused: bool = False,
) -> torch.optim.Optimizer:
    """An optimiser over parameter groups; SGD has Nesterov momentum 0.9.

    `fused` asks for torch's single-kernel step where the optimiser has one.
    """
    key = name.lower()
    if key in OPTIMIZERS:
        extra: dict[str, Any] = {"momentum": 0.9, "nesterov": True} if key == "sgd" else {}
        if key != "radam":
            extra["fused"] = fused
        return OPTIMIZERS[key](groups, lr=learning_rate, weight_decay=weight_decay, **extra)
    optim: Any = import_module("timm.optim")  # imported late: torch's own need none of it
    known = sorted({*OPTIMIZERS, *map(str, optim.list_optimizers())})
    if key not in known:
        raise InputError(f"optimiser {name!r} is unknown{nearest(key, known)}; expected one of {', '.join(known)}")
    made: torch.optim.Optimizer = optim.create_optimizer_v2(
        groups, opt=key, lr=learning_rate, weight_decay=weight_decay
    )
    return made


def parameter_groups(
    network: SegmentationNetwork,
    learning_rate: float,
    weight_decay: float,
    encoder_factor: float = 1.0,
    layer_decay: float = 1.0,
) -> list[dict[str, Any]]:
    """Parameters grouped by learning rate and weight decay.

    The encoder learns at `learning_rate * encoder_factor`, and each of its
    blocks at `layer_decay` times the rate of the next deeper one. Biases and
    normalisation weights (one axis) are not decayed.
    """
    depths = encoder_depths(network.encoder)
    deepest = max(depths.values(), default=0)
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in network.body.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = learning_rate
        if name.startswith("encoder."):
            rate *= encoder_factor * layer_decay ** (deepest - depths[name.removeprefix("encoder.")])
        decay = weight_decay if parameter.ndim > 1 else 0.0
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


def encoder_depths(encoder: nn.Module) -> dict[str, int]:
    """The depth of each parameter's block, 0 for the stem: blocks are numbered in the order of their names.

    A block is a name up to its first two numbers (`blocks.3.1`), which fits
    the stages of CNNs and the layers of transformers alike.
    """
    order: dict[tuple[str, ...], int] = {}
    depths: dict[str, int] = {}
    for name, _ in encoder.named_parameters():
        parts = name.split(".")
        numbers = [i for i, part in enumerate(parts) if part.isdigit()][:2]
        block = tuple(parts[: numbers[-1] + 1]) if numbers else ()
        depths[name] = order.setdefault(block, len(order))
    return depths
