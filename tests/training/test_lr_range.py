"""The learning-rate range test: where it looks, what it suggests, when it stops."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.test_loop import SMALL
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Example
from trashseg.errors import InputError
from trashseg.models.networks import build_network
from trashseg.training.config import TrainConfig
from trashseg.training.loaders import prepare
from trashseg.training.lr_range import Trial, range_test, rates, suggestion, write_trials
from trashseg.training.sets import ExampleSet


def test_rates_rise_by_one_factor() -> None:
    assert rates(1e-3, 1e6, 10) == pytest.approx([10.0**power for power in range(-3, 7)])
    for bad in ((1.0, 0.1, 20), (0.0, 1.0, 20), (0.1, 1.0, 2)):
        with pytest.raises(InputError, match="expected two rising numbers"):
            rates(*bad)


def test_the_rate_where_the_loss_falls_fastest_is_suggested() -> None:
    tried = np.geomspace(1e-6, 1, 61)
    losses = 2 - 1 / (1 + np.exp(-(np.log10(tried) + 3) * 4)) + np.where(tried > 0.1, 5, 0)  # steepest at 1e-3
    trials = [Trial(float(rate), float(loss), float(loss)) for rate, loss in zip(tried, losses, strict=True)]
    assert suggestion(trials) == pytest.approx(1e-3, rel=0.3)
    with pytest.raises(InputError, match="did not fall at any rate"):
        suggestion([Trial(each.rate, math.nan, math.nan) for each in trials])


def test_a_network_is_tried_until_its_loss_runs_away(examples: list[Example], tmp_path: Path) -> None:
    config = TrainConfig(image_size=(32, 32), batch_size=4, threads=1, clip_norm=0)
    material = prepare([ExampleSet(examples, 1.0)], [], 11, config)
    torch.manual_seed(0)
    network = build_network(SMALL, 11)
    trials = range_test(network, material, config, AugmentConfig(), 1, rates(1e-5, 1e6, 80))
    assert len(trials) < 80  # it ran away, and no further rate was tried
    suggested = suggestion(trials)
    assert 1e-4 < suggested < 10
    assert min(trial.smoothed for trial in trials) < trials[0].loss
    write_trials(tmp_path, trials, suggested)
    assert len((tmp_path / "lr_find.csv").read_text().splitlines()) == len(trials) + 1
    assert (tmp_path / "lr_find.png").read_bytes().startswith(b"\x89PNG")
