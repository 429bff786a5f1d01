"""Which images an epoch draws: sets mixed by weights, images of rare classes more often.

Draws are systematic: an image of weight w is drawn floor or ceil of its
expected number of times, so equal weights draw each image exactly once, and
nothing is left to luck but the remainder and the order. A draw is a pure
function of (seed, epoch), whatever the number of processes.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from trashseg.data.dataset import Draw


class WeightedDraws(Sampler[Draw]):
    """The draws of one epoch for one of `processes` processes; call `set_epoch` before each.

    `draws` per epoch over all processes; it should be a multiple of
    `processes` times the batch size, so that no batch is smaller. `until_N`,
    where given, is the epoch from which on an image is drawn no more.
    """

    def __init__(
        self,
        weight_N: NDArray[np.float64],
        draws: int,
        seed: int,
        process: int = 0,
        processes: int = 1,
        until_N: NDArray[np.float64] | None = None,
    ) -> None:
        self.weight_N, self.draws, self.seed, self.until_N = weight_N, draws, seed, until_N
        self.process, self.processes = process, processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.process, self.draws, self.processes))

    def __iter__(self) -> Iterator[Draw]:
        weight_N = self.weight_N if self.until_N is None else self.weight_N * (self.epoch < self.until_N)
        indices = systematic(weight_N, self.draws, np.random.default_rng((self.seed, self.epoch)))
        for position in range(self.process, self.draws, self.processes):
            yield Draw(int(indices[position]), self.epoch, position)


def systematic(weight_N: NDArray[np.float64], draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`draws` indices in random order; each image within one of its expected count."""
    order = rng.permutation(len(weight_N))
    edges = np.cumsum(weight_N[order]) * (draws / weight_N.sum())
    places = np.arange(draws) + rng.random()
    chosen = np.minimum(np.searchsorted(edges, places, side="right"), len(order) - 1)
    return np.asarray(rng.permutation(order[chosen]), np.int64)


def balance_weights(pixels_NC: NDArray[np.int64], power: float) -> NDArray[np.float64]:
    """A weight (N,) per image: the rarest class it shows decides, as (share of images with it)^-power.

    Repeat-factor sampling (Gupta et al. 2019, arXiv:1908.03195), of which
    power 0.5 is the usual case; 0 weighs all images alike.
    """
    shown_NC = pixels_NC > 0
    share_C = shown_NC.mean(0)
    factor_C = np.divide(1.0, share_C, out=np.ones(len(share_C)), where=share_C > 0) ** power
    weights: NDArray[np.float64] = np.where(shown_NC, factor_C, 1.0).max(1)
    return weights
