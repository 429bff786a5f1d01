"""The learning-rate range test: a short training whose rate rises until the loss runs away.

Smith 2017, arXiv:1506.01186. The rate to take lies where the smoothed loss
falls fastest: well below where it turns up again.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trashseg.data.augment_config import AugmentConfig
from trashseg.errors import InputError
from trashseg.io import atomic, write_text
from trashseg.models.losses import class_weights
from trashseg.models.networks import SegmentationNetwork
from trashseg.training.config import TrainConfig
from trashseg.training.loaders import Material, training_loader
from trashseg.training.loop import make_module

SMOOTHING = 0.9
RAN_AWAY = 3.0
"""The test ends where the smoothed loss is this many times its lowest."""

MIN_STEPS = 10


@dataclass(frozen=True)
class Trial:
    """One step: the decoder's learning rate, the batch's loss, and the smoothed loss."""

    rate: float
    loss: float
    smoothed: float


def rates(lowest: float, highest: float, steps: int) -> Sequence[float]:
    """`steps` rates from `lowest` to `highest`, each the same factor above the one before."""
    if not 0 < lowest < highest or steps < MIN_STEPS:
        raise InputError(
            f"rates from {lowest:g} to {highest:g} in {steps} steps: expected two rising numbers above 0, and at "
            f"least {MIN_STEPS} steps"
        )
    return [float(rate) for rate in np.geomspace(lowest, highest, steps)]


def range_test(
    network: SegmentationNetwork,
    material: Material,
    config: TrainConfig,
    augment: AugmentConfig,
    seed: int,
    tried: Sequence[float],
) -> list[Trial]:
    """Train `network` in place, a step at each rate of `tried`; ends early where the loss runs away or is no number."""
    if config.threads:
        torch.set_num_threads(config.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weight_C = class_weights(torch.from_numpy(material.pixels_C), config.class_weight_power)
    module = make_module(network, config, augment, weight_C, len(tried), 1, seed).to(device).train()
    optimizer = module.make_optimizer(network)
    trials: list[Trial] = []
    average = 0.0
    torch.manual_seed(seed)
    for step, (rate, batch) in enumerate(zip(tried, _batches(material, config, augment, seed), strict=False)):
        for group in optimizer.param_groups:
            group.setdefault("share", group["lr"] / config.learning_rate)
            group["lr"] = rate * group["share"]
        loss = _step(module, optimizer, batch, config, device)
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        trials.append(Trial(rate, loss, average / (1 - SMOOTHING ** (step + 1))))
        if not math.isfinite(loss) or trials[-1].smoothed > RAN_AWAY * min(each.smoothed for each in trials):
            break
    return trials


def _batches(material: Material, config: TrainConfig, augment: AugmentConfig, seed: int) -> Iterator[Any]:
    loader = training_loader(material, config, augment, seed)
    for epoch in itertools.count():
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        yield from loader


def _step(
    module: Any, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor], config: TrainConfig, device: Any
) -> float:
    image_BCHW, mask_BHW = (part.to(device) for part in batch)
    half = device.type == "cuda" and config.precision != "32"
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        logits_BCHW = module(image_BCHW)
    loss = module.loss(logits_BCHW.float(), mask_BHW.long())
    optimizer.zero_grad()
    loss.backward()
    if config.clip_norm:
        torch.nn.utils.clip_grad_norm_(module.network.parameters(), config.clip_norm)
    optimizer.step()
    return float(loss.detach())


def suggestion(trials: Sequence[Trial]) -> float:
    """The rate at which the smoothed loss falls fastest before its lowest; `InputError` where it never falls."""
    finite = [trial for trial in trials if math.isfinite(trial.smoothed)]
    lowest = int(np.argmin([trial.smoothed for trial in finite])) if finite else 0
    if lowest < MIN_STEPS // 2:
        raise InputError("the loss did not fall at any rate; begin lower, go higher, or take more steps")
    falling = finite[: lowest + 1]
    slope = np.gradient([trial.smoothed for trial in falling], np.log([trial.rate for trial in falling]))
    settled = MIN_STEPS // 3  # the first averages hold too few losses
    return falling[settled + int(np.argmin(slope[settled:]))].rate


def write_trials(folder: Path, trials: Sequence[Trial], suggested: float) -> None:
    """`lr_find.csv` and the curve `lr_find.png`."""
    rows = [f"{trial.rate!r},{trial.loss!r},{trial.smoothed!r}" for trial in trials]
    write_text(folder / "lr_find.csv", "\n".join(["rate,loss,smoothed", *rows]) + "\n")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogx([trial.rate for trial in trials], [trial.loss for trial in trials], color="0.8", label="loss")
    axes.semilogx([trial.rate for trial in trials], [trial.smoothed for trial in trials], label="smoothed")
    axes.axvline(suggested, color="tab:green", label=f"suggested {suggested:.2g}")
    axes.set(xlabel="learning rate", ylabel="loss")
    axes.legend()
    with atomic(folder / "lr_find.png") as temporary:
        figure.savefig(temporary, format="png", dpi=120)
