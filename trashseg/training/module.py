"""The Lightning module: a step, a validation, an optimiser.

Validation counts pixels into one int64 confusion matrix on the device, over
all images and all processes; every score is a function of it.

B batch, C classes or colours, H height, W width.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trashseg.data.dataset import ValidationBatch, nearest_target
from trashseg.errors import InputError
from trashseg.models.networks import SegmentationNetwork
from trashseg.training.counting import GRID, count, on_grid

BatchMixer = Callable[[Tensor, Tensor, int, int], tuple[Tensor, Tensor]]
"""(image_BCHW, mask_BHW, epoch, batch) -> the mixed ones."""

CHECK_EVERY_STEPS = 50

SHOWN_PHOTOS = 6


@dataclass(frozen=True)
class Answer:
    """A held-out photo at the network's size, its truth (VOID where unlabelled), and the network's answer."""

    image_HWC: NDArray[np.uint8]
    truth_HW: NDArray[np.uint8]
    answer_HW: NDArray[np.uint8]


@dataclass(frozen=True)
class Showing:
    """Which held-out photos are shown, by index, and after which epochs: every so many, and the last."""

    photos: frozenset[int] = frozenset()
    every: int = 0
    validate_every: int = 1
    epochs: int = 1

    def due(self, epoch: int) -> bool:
        """Whether the validation after `epoch` is the first at or behind a multiple of `every`, or the last."""
        done = epoch + 1
        crossed = self.every and done // self.every > (done - self.validate_every) // self.every
        return bool(crossed or (self.every and done == self.epochs))


def shown_photos(count: int) -> frozenset[int]:
    """A few of `count` photos, evenly spread."""
    return frozenset(round(place) for place in np.linspace(0, count - 1, min(count, SHOWN_PHOTOS)))


class SegmentationTraining(pl.LightningModule):
    """Trains `network` on batches of uint8 images and masks; validates on `ValidationBatch`es."""

    def __init__(
        self,
        network: SegmentationNetwork,
        loss: nn.Module,
        make_optimizer: Callable[[SegmentationNetwork], torch.optim.Optimizer],
        schedule: Callable[[int], float],
        seed: int,
        mix: BatchMixer | None = None,
        ema_decay: float = 0.0,
        showing: Showing = Showing(),
    ) -> None:
        """`ema_decay` > 0 keeps a moving average of the weights, which is what is validated and saved."""
        super().__init__()
        self.network, self.loss, self.showing = network, loss, showing
        self._answers: dict[int, Answer] = {}
        self.ema_decay = ema_decay
        self.averaged = deepcopy(network).requires_grad_(False) if ema_decay else None
        self._forward: Callable[[Tensor], Tensor] = network
        self.make_optimizer, self.schedule, self.seed, self.mix = make_optimizer, schedule, seed, mix
        self.loss_sum = torch.zeros((), dtype=torch.float64)
        self.loss_steps = 0
        self.reset_counts()

    def reset_counts(self) -> None:
        """Forget the counts of the last validation."""
        classes = self.network.classes
        self.confusion = torch.zeros(2, classes, classes, dtype=torch.int64, device=self.device)
        self.val_loss = torch.zeros(2, dtype=torch.float64, device=self.device)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return self._forward(image_BCHW)

    def compile_network(self) -> None:
        """Run the training steps through `torch.compile`; weights keep their names."""
        self._forward = cast(Callable[[Tensor], Tensor], torch.compile(self.network))

    def shown_network(self) -> SegmentationNetwork:
        """The network that is validated and saved: the moving average where there is one."""
        return self.network if self.averaged is None else self.averaged

    def on_train_epoch_start(self) -> None:
        # dropout draws from torch's global state: seeding each epoch makes a resumed one draw the same
        torch.manual_seed(self.seed * 100_003 + self.current_epoch)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.loss_steps = 0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        image_BCHW, mask_BHW = batch
        if self.mix is not None:
            image_BCHW, mask_BHW = self.mix(image_BCHW, mask_BHW, self.current_epoch, batch_index)
        loss: Tensor = self.loss(self(image_BCHW).float(), mask_BHW.long())
        self.loss_sum += loss.detach()
        self.loss_steps += 1
        if self.loss_steps % CHECK_EVERY_STEPS == 0:
            self.check_finite()
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_index: int) -> None:  # noqa: ARG002
        if self.averaged is not None:
            update_average(self.averaged, self.network, self.ema_decay, self.trainer.global_step)

    def on_train_epoch_end(self) -> None:
        self.check_finite()

    def check_finite(self) -> None:
        """Stop a training whose loss is no number: what it writes from here on would be worthless."""
        if not bool(torch.isfinite(self.loss_sum + self.val_loss[0].to(self.loss_sum))):
            raise InputError(
                f"epoch {self.current_epoch}: the loss is not finite; the last good checkpoint is kept; "
                "lower train.learning_rate, or set train.clip_norm or train.precision 32"
            )

    def on_validation_epoch_start(self) -> None:
        self.reset_counts()
        if self.trainer.world_size > 1:  # each process has seen other batches: judge what the first one saves
            for buffer in self.shown_network().buffers():
                torch.distributed.broadcast(buffer, 0)

    def take_answers(self) -> Sequence[Answer]:
        """The photos that the last validation showed, in their order; none where it was not their turn."""
        answers = [self._answers[index] for index in sorted(self._answers)]
        self._answers.clear()
        return answers

    def validation_step(self, batch: ValidationBatch, batch_index: int) -> None:  # noqa: ARG002 (Lightning's shape)
        logits_BCHW = self.shown_network()(batch.image_BCHW).float()
        height, width = logits_BCHW.shape[-2:]
        target_BHW = nearest_target(batch.masks_HW, (height, width)).to(self.device)
        images = len(batch.masks_HW)
        self.val_loss += torch.stack([self.loss(logits_BCHW, target_BHW) * images, torch.tensor(images)]).to(
            self.val_loss
        )
        if self.showing.due(self.current_epoch):
            self._keep_answers(batch, target_BHW, logits_BCHW)
        for logits_CHW, mask_HW in zip(logits_BCHW, batch.masks_HW, strict=True):
            size = (mask_HW.shape[0], mask_HW.shape[1])
            full_CHW = functional.interpolate(logits_CHW[None], size, mode="bilinear", align_corners=False)[0]
            # on the CPU argmax over the outermost axis takes six times as long as max
            prediction_HW, truth_HW = full_CHW.max(0).indices, mask_HW.to(self.device)
            self.confusion[0] += count(truth_HW, prediction_HW, self.network.classes)
            grid = (on_grid(truth_HW, GRID), on_grid(prediction_HW, GRID))
            self.confusion[1] += count(*grid, self.network.classes)

    def _keep_answers(self, batch: ValidationBatch, target_BHW: Tensor, logits_BCHW: Tensor) -> None:
        for place, index in enumerate(batch.index):
            if index in self.showing.photos:
                parts = (batch.image_BCHW[place].movedim(0, -1), target_BHW[place], logits_BCHW[place].argmax(0))
                self._answers[index] = Answer(*(np.asarray(part.cpu().numpy(), np.uint8) for part in parts))

    def on_validation_epoch_end(self) -> None:
        if self.trainer.world_size > 1:
            self.confusion = self.trainer.strategy.reduce(self.confusion, reduce_op="sum")
            self.val_loss = self.trainer.strategy.reduce(self.val_loss, reduce_op="sum")
        self.check_finite()  # the last step may have burst the weights

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Images go to the device as uint8; validation masks stay until each is counted."""
        if isinstance(batch, ValidationBatch):
            image_BCHW = batch.image_BCHW.to(device, non_blocking=True)
            return ValidationBatch(batch.index, image_BCHW, batch.masks_HW)
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def counts(self) -> NDArray[np.int64]:
        """Confusion matrices (2, C, C) of the last validation: at full size, and on the 256 grid."""
        return np.asarray(self.confusion.cpu().numpy(), np.int64)

    def configure_optimizers(self) -> Any:
        """The optimiser, and the rate's factor as a function of the update alone."""
        optimizer = self.make_optimizer(self.network)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


@torch.no_grad()
def update_average(averaged: nn.Module, network: nn.Module, decay: float, updates: int) -> None:
    """Move the average towards the network; early on it follows faster, as (1 + n) / (10 + n)."""
    kept = min(decay, (1 + updates) / (10 + updates))
    for mean, value in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - kept)
    for kept_buffer, buffer in zip(averaged.buffers(), network.buffers(), strict=True):
        kept_buffer.copy_(buffer)
