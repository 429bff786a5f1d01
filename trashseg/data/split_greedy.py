"""Folds with equal pixels and images of every class: deal the heaviest groups first, then mend by moves and swaps.

Each group is a vector of shares: of all images, and of each class its share
of the images that show it, of the annotations and of the pixels. A fold's sum
should be 1/k in each. Shares make rare things count: one image of five
that show a class weighs 0.2, one of five thousand 0.0002, so rare classes are
spread as evenly as arithmetic allows and common ones take up what is left.
The cost is the weighted sum of squares of all folds' deviations. Where groups
are few, random deals are mended, too, and the best is kept.
"""

import numpy as np
from numpy.typing import NDArray

from trashseg.data.split_table import SplitTable

IMAGES_WEIGHT = 1.0
PRESENCE_WEIGHT = 6.0
"""Above the pixels' weight: a rare class in every fold matters more than equal pixels of it."""
ANNOTATIONS_WEIGHT = 0.25
PIXELS_WEIGHT = 1.0

PASSES = 8
"""Most rounds of mending; each looks once at every group."""

LEAST_GAIN = 1e-3
"""Mending ends when a round lowers the cost by less than this share of it."""

FEW_GROUPS = 100
"""Up to here one group weighs much and mending ends in poor corners: other deals are tried, too."""
DEALS = 64

NOISE = 1e-12
"""Gains below this are rounding: taking them could differ between machines, or never end."""


def greedy_folds(table: SplitTable, k: int, seed: int) -> NDArray[np.int64]:
    """A fold (0..k-1) for each group, (G,). `seed` orders groups of equal weight, and those of further deals."""
    shares_GF = weighted_shares(table)
    rng = np.random.default_rng(seed)
    order_G = rng.permutation(table.group_count)
    best = _mended(shares_GF, order_G[np.argsort(-shares_GF[order_G].max(axis=1), kind="stable")], k)
    if table.group_count <= FEW_GROUPS:
        others = [_mended(shares_GF, rng.permutation(table.group_count), k) for _ in range(DEALS)]
        best = min([best, *others], key=lambda dealt: round(dealt.cost(), 9))
    return best.folds_G


def _mended(shares_GF: NDArray[np.float64], order_G: NDArray[np.int64], k: int) -> "Dealt":
    """Groups dealt in this order, then mended while that gains something."""
    state = Dealt(shares_GF, _deal(shares_GF, order_G, k), k)
    for _ in range(PASSES):
        before = state.cost()
        for group in order_G.tolist():
            state.mend(group)
        if before - state.cost() <= LEAST_GAIN * before:
            break
    return state


def weighted_shares(table: SplitTable) -> NDArray[np.float64]:
    """Each group's share of every total, times the root of its weight, (G, F); what has no total is left out."""
    parts = (
        (np.ones((len(table.image_ids), 1)), IMAGES_WEIGHT),
        (table.present_NC, PRESENCE_WEIGHT),
        (table.annotations_NC, ANNOTATIONS_WEIGHT),
        (table.pixels_NC, PIXELS_WEIGHT),
    )
    columns = []
    for values_NF, weight in parts:
        sums_GF = table.per_group(values_NF)
        totals_F = sums_GF.sum(axis=0)
        columns.append(np.sqrt(weight) * sums_GF[:, totals_F > 0] / totals_F[totals_F > 0])
    return np.concatenate(columns, axis=1)


def _deal(shares_GF: NDArray[np.float64], order_G: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Each group, heaviest first, to the fold that lacks most of what it holds. No fold stays empty."""
    folds_G = np.zeros(len(shares_GF), np.int64)
    sums_KF = np.zeros((k, shares_GF.shape[1]))
    filled_K = np.zeros(k, bool)
    for dealt, group in enumerate(order_G.tolist()):
        costs_K = np.round(sums_KF @ shares_GF[group], 12)
        if len(order_G) - dealt <= k - filled_K.sum():
            costs_K[filled_K] = np.inf
        fold = int(costs_K.argmin())
        folds_G[group] = fold
        sums_KF[fold] += shares_GF[group]
        filled_K[fold] = True
    return folds_G


class Dealt:
    """Groups dealt to folds, and the products that make looking for a better place cheap.

    S_k is the sum of fold k's groups. A move of group v from fold a to b adds
    v.(S_b - S_a) + v.v to half the sum of squares of all S; a swap with u, of
    fold b, moves v - u. All v.S_k are kept, so a group's best partner among
    all others costs one matrix-vector product.
    """

    def __init__(self, shares_GF: NDArray[np.float64], folds_G: NDArray[np.int64], k: int) -> None:
        self.shares_GF = shares_GF
        self.folds_G = folds_G
        self.sums_KF = np.stack([shares_GF[folds_G == fold].sum(axis=0) for fold in range(k)])
        self.onto_KG = self.sums_KF @ shares_GF.T
        self.square_G = np.einsum("gf,gf->g", shares_GF, shares_GF)
        self.size_K = np.bincount(folds_G, minlength=k)
        self.own_G = self.onto_KG[folds_G, np.arange(len(folds_G))]

    def cost(self) -> float:
        """The weighted sum of squared deviations of all folds from equal shares."""
        deviation_KF = self.sums_KF - self.sums_KF.mean(axis=0)
        return float((deviation_KF**2).sum())

    def mend(self, group: int) -> None:
        """Move the group to another fold, or swap it with a group there: the best of all, if it lowers the cost."""
        here = int(self.folds_G[group])
        onto_K = self.onto_KG[:, group] - self.onto_KG[here, group]
        move_K = onto_K + self.square_G[group]
        move_K[here] = 0
        if self.size_K[here] == 1:
            move_K[:] = 0
        there = int(np.round(move_K, 12).argmin())
        swap_G = self._swaps(group, here, onto_K)
        other = int(swap_G.argmin())
        if min(swap_G[other], move_K[there]) >= -NOISE:
            return
        if swap_G[other] < move_K[there]:
            there = int(self.folds_G[other])
            self._shift(here, there, self.shares_GF[group] - self.shares_GF[other])
            self.folds_G[other] = here
        else:
            self._shift(here, there, self.shares_GF[group])
            self.size_K[here] -= 1
            self.size_K[there] += 1
        self.folds_G[group] = there
        self.own_G = self.onto_KG[self.folds_G, np.arange(len(self.folds_G))]

    def _swaps(self, group: int, here: int, onto_K: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a swap with each other group adds to half the cost, (G,); 0 for those of the same fold."""
        added_G = onto_K[self.folds_G] + self.square_G[group]
        added_G -= self.own_G
        added_G += self.onto_KG[here]
        added_G += self.square_G
        added_G -= 2 * (self.shares_GF @ self.shares_GF[group])
        added_G[self.folds_G == here] = 0
        return np.asarray(np.round(added_G, 12))

    def _shift(self, here: int, there: int, step_F: NDArray[np.float64]) -> None:
        """Move shares from a fold to another."""
        self.sums_KF[here] -= step_F
        self.sums_KF[there] += step_F
        step_G = self.shares_GF @ step_F
        self.onto_KG[here] -= step_G
        self.onto_KG[there] += step_G
