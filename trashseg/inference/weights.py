"""How much each member counts, fitted on out-of-fold mIoU.

Members are networks. Weights for the images of a fold are fitted on the images
of the other folds, so that a score of the weighted ensemble has not been tuned
on the images it is measured on; weights for test images are fitted on all.

`member`: greedy selection with replacement (Caruana et al., 2004): members are
added one by one, each time the one that raises mIoU most; a member's weight is
how often it was taken. `class`: from there, each member's weight for each class
is halved or doubled while that raises mIoU.

Fitting works on a sample of pixels, S, of quantised probabilities: M members,
C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.evaluation.confusion import confusion_matrix, mean_iou
from trashseg.inference.probabilities import ProbabilityStore

GREEDY_STEPS = 20
CLASS_PASSES = 2

Weights = NDArray[np.float64]
"""(M,) or (M, C)."""


@dataclass(frozen=True)
class PixelSample:
    """Some labelled pixels: members_MSC probabilities (uint8 of 255), their truth and their image's fold."""

    members_MSC: NDArray[np.uint8]
    truth_S: NDArray[np.uint8]
    folds_S: NDArray[np.int64]

    def without(self, fold: int) -> "PixelSample":
        """The pixels of all other folds."""
        rest = self.folds_S != fold
        return PixelSample(self.members_MSC[:, rest], self.truth_S[rest], self.folds_S[rest])


def sample_image(
    stores: Sequence[ProbabilityStore], image_id: int, mask_HW: NDArray[np.uint8], pixels: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """members_MSC and truth_S of at most `pixels` labelled pixels of one image, drawn by its id."""
    labelled = np.flatnonzero(mask_HW != VOID)
    if len(labelled) > pixels:
        labelled = np.sort(np.random.default_rng([image_id, 1]).choice(labelled, pixels, replace=False))
    members = []
    for store in stores:
        levels_KHW, header = store.read_levels(image_id)
        if levels_KHW.shape[1:] != mask_HW.shape:
            found = f"{levels_KHW.shape[2]}x{levels_KHW.shape[1]}"
            expected = f"{mask_HW.shape[1]}x{mask_HW.shape[0]}"
            raise ValueError(f"{store.path(image_id)}: made at {found} pixels, the mask has {expected}")
        levels_SC = np.zeros((len(labelled), header.classes), np.uint8)
        levels_SC[:, header.kept] = levels_KHW.reshape(len(header.kept), -1)[:, labelled].T
        members.append(levels_SC)
    return np.stack(members), mask_HW.ravel()[labelled]


def combined(members_MSC: NDArray[np.uint8], weights: Weights) -> NDArray[np.float32]:
    """The weighted sum over members, (S, C), not normalised."""
    weights_MC = weights.reshape(len(weights), -1).astype(np.float32)
    total_SC = members_MSC[0] * weights_MC[0]
    for levels_SC, weights_C in zip(members_MSC[1:], weights_MC[1:], strict=True):
        total_SC += levels_SC * weights_C
    return np.asarray(total_SC, np.float32)


def score(sample: PixelSample, weights: Weights) -> float:
    """mIoU of the weighted ensemble on the sampled pixels; 0 without a pixel."""
    return _miou(combined(sample.members_MSC, weights), sample.truth_S)


def _miou(total_SC: NDArray[np.float32], truth_S: NDArray[np.uint8]) -> float:
    if not len(truth_S):
        return 0.0
    return mean_iou(confusion_matrix(truth_S, total_SC.argmax(1).astype(np.uint8), total_SC.shape[1]))


def fit_member_weights(sample: PixelSample, steps: int = GREEDY_STEPS) -> Weights:
    """(M,) weights that sum to 1; the best prefix of the greedy selection."""
    members = len(sample.members_MSC)
    if members == 1 or not len(sample.truth_S):
        return np.full(members, 1 / members)
    counts = np.zeros(members)
    total_SC = np.zeros(sample.members_MSC.shape[1:], np.float32)
    best_score, best_counts = -1.0, counts
    for _ in range(steps):
        scores = [_miou(total_SC + levels_SC, sample.truth_S) for levels_SC in sample.members_MSC]
        chosen = int(np.argmax(scores))
        total_SC += sample.members_MSC[chosen]
        counts[chosen] += 1
        if scores[chosen] > best_score:
            best_score, best_counts = scores[chosen], counts.copy()
    equal = np.full(members, 1 / members)
    return equal if score(sample, equal) >= best_score else best_counts / best_counts.sum()


def fit_class_weights(sample: PixelSample, start: Weights, passes: int = CLASS_PASSES) -> Weights:
    """(M, C) weights from the member weights `start`: each tried at half and double, the better kept."""
    weights_MC = np.repeat(start[:, None], sample.members_MSC.shape[2], 1)
    total_SC = combined(sample.members_MSC, weights_MC)
    best = _miou(total_SC, sample.truth_S)
    for _ in range(passes):
        before = best
        for member, index in np.ndindex(weights_MC.shape):
            for factor in (0.5, 2.0):
                change = weights_MC[member, index] * (factor - 1)
                total_SC[:, index] += np.float32(change) * sample.members_MSC[member, :, index]
                trial = _miou(total_SC, sample.truth_S)
                if trial > best + 1e-6:
                    best, weights_MC[member, index] = trial, weights_MC[member, index] * factor
                    break
                total_SC[:, index] -= np.float32(change) * sample.members_MSC[member, :, index]
        if best <= before:
            break
    return weights_MC


def fit(sample: PixelSample, kind: str) -> Weights:
    """Weights of a kind: `equal` (M,), `member` (M,) or `class` (M, C)."""
    members = len(sample.members_MSC)
    if kind == "equal":
        return np.full(members, 1 / members)
    weights = fit_member_weights(sample)
    return fit_class_weights(sample, weights) if kind == "class" else weights


@dataclass(frozen=True)
class CrossFittedWeights:
    """`by_fold`: for each fold's own images, fitted without them; `overall`: for all other images."""

    by_fold: Mapping[int, Weights]
    overall: Weights


def cross_fit_weights(sample: PixelSample, folds: Sequence[int], kind: str) -> CrossFittedWeights:
    """Weights for each fold's images and for test images."""
    return CrossFittedWeights({fold: fit(sample.without(fold), kind) for fold in folds}, fit(sample, kind))


def cross_fitted_score(sample: PixelSample, weights: CrossFittedWeights) -> float:
    """mIoU on the sample where each pixel is combined by the weights of its own image's fold."""
    classes = sample.members_MSC.shape[2]
    counts = np.zeros((classes, classes), np.int64)
    for fold, fold_weights in weights.by_fold.items():
        own = sample.folds_S == fold
        if own.any():
            prediction_S = combined(sample.members_MSC[:, own], fold_weights).argmax(1).astype(np.uint8)
            counts += confusion_matrix(sample.truth_S[own], prediction_S, classes)
    return mean_iou(counts) if counts.any() else 0.0
