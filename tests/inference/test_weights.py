from pathlib import Path

import numpy as np
import pytest

from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.weights import (
    PixelSample,
    cross_fit_weights,
    cross_fitted_score,
    fit,
    fit_member_weights,
    sample_image,
    score,
)

CLASSES = 4


def sample(members: int = 3, pixels: int = 3000, seed: int = 0) -> PixelSample:
    """Member 0 is good, each next one worse; the last is noise."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, pixels).astype(np.uint8)
    levels = []
    for member in range(members):
        signal = 3.0 * (members - 1 - member) / max(1, members - 1)
        logits = rng.normal(0, 1, (pixels, CLASSES)) + signal * np.eye(CLASSES)[truth]
        exps = np.exp(logits)
        levels.append(np.rint(255 * exps / exps.sum(1, keepdims=True)).astype(np.uint8))
    return PixelSample(np.stack(levels), truth, np.arange(pixels) % 3)


def test_one_member_weighs_everything() -> None:
    np.testing.assert_array_equal(fit(sample(1), "member"), [1.0])


def test_good_members_weigh_more_and_noise_nothing() -> None:
    weights = fit_member_weights(sample())
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[2]
    assert weights[2] <= 0.1


def test_fitted_weights_are_never_worse_where_they_were_fitted() -> None:
    data = sample()
    equal, member, by_class = (score(data, fit(data, kind)) for kind in ("equal", "member", "class"))
    assert equal <= member <= by_class


def test_weights_of_a_fold_do_not_know_its_pixels() -> None:
    data = sample()
    poisoned = PixelSample(data.members_MSC.copy(), data.truth_S.copy(), data.folds_S)
    own = data.folds_S == 1
    poisoned.members_MSC[:, own] = poisoned.members_MSC[::-1, own]
    poisoned.truth_S[own] = 0
    for kind in ("member", "class"):
        before, after = (cross_fit_weights(each, [0, 1, 2], kind) for each in (data, poisoned))
        np.testing.assert_array_equal(before.by_fold[1], after.by_fold[1])
    assert 0 < cross_fitted_score(data, before) <= 1


def test_an_image_gives_labelled_pixels_only(tmp_path: Path) -> None:
    store = ProbabilityStore(tmp_path)
    probabilities = np.zeros((3, 10, 10), np.float32)
    mask = np.full((10, 10), 255, np.uint8)
    mask[2:6, 2:6] = 1
    probabilities[1] = mask == 1
    probabilities[0] = mask != 1
    store.write(0, probabilities)
    members, truth = sample_image([store, store], 0, mask, 8)
    assert members.shape == (2, 8, 3) and set(truth) == {1}
    np.testing.assert_array_equal(members.argmax(2), 1)
    everything, _ = sample_image([store], 0, mask, 1000)
    assert everything.shape == (1, 16, 3)
