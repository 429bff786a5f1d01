"""The loop: memory that runs out, moving averages, early stopping, counts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Example
from trashseg.errors import InputError
from trashseg.evaluation.confusion import confusion_matrix
from trashseg.models.networks import Architecture, SegmentationNetwork, build_network
from trashseg.training.config import TrainConfig
from trashseg.training.counting import count, on_grid
from trashseg.training.loop import Outcome, fit, halved
from trashseg.training.module import update_average
from trashseg.training.sets import ExampleSet

SMALL = Architecture("unet", "tu-tf_mobilenetv3_small_minimal_100", {"decoder_channels": [32, 16, 16, 8, 8]})


def train(network: SegmentationNetwork, examples: list[Example], folder: Path, **changes: object) -> Outcome:
    """A short training on eight images, validated on four."""
    settings = {"image_size": (32, 32), "batch_size": 4, "threads": 1, "learning_rate": 1e-3, **changes}
    config = TrainConfig.model_validate(settings)
    sets = [ExampleSet(examples[:8], 1.0)]
    return fit(network, sets, examples[8:], config, AugmentConfig(), config.epochs, 1, folder)


def test_batches_are_halved_when_memory_runs_out(
    examples: list[Example], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = build_network(SMALL, 11)
    seen: list[int] = []

    def limited(module: object, inputs: tuple[torch.Tensor]) -> None:
        if torch.is_grad_enabled():
            seen.append(len(inputs[0]))
            if len(inputs[0]) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")

    network.register_forward_pre_hook(limited)
    outcome = train(network, examples, tmp_path, epochs=1)
    assert seen == [4, 2, 2, 2, 2] and len(outcome.history) == 1
    assert "out of memory: batches of 2 instead of 4, 2 to an update" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"train\.batch_size 1"):
        halved(TrainConfig(batch_size=1))


def test_a_training_without_progress_stops_early(examples: list[Example], tmp_path: Path) -> None:
    outcome = train(build_network(SMALL, 11), examples, tmp_path, epochs=9, patience=2, learning_rate=1e-12)
    assert len(outcome.history) < 9


def test_an_average_moves_towards_the_network() -> None:
    network, averaged = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 1.0)
    torch.nn.init.constant_(averaged.weight, 0.0)
    update_average(averaged, network, 0.9, updates=1000)
    assert averaged.weight.item() == pytest.approx(0.1)
    update_average(averaged, network, 0.9, updates=0)
    assert averaged.weight.item() == pytest.approx(0.1 * 0.1 + 0.9)


def test_counts_are_those_of_the_numpy_twin() -> None:
    rng = np.random.default_rng(0)
    truth_HW, prediction_HW = (rng.integers(0, 4, (20, 30)).astype(np.uint8) for _ in range(2))
    truth_HW[:3] = 255
    counted = count(torch.from_numpy(truth_HW), torch.from_numpy(prediction_HW), 4)
    assert np.array_equal(counted.numpy(), confusion_matrix(truth_HW, prediction_HW, 4))


def test_the_grid_of_512_is_every_second_pixel() -> None:
    mask_HW = torch.arange(512 * 512).view(512, 512)
    assert torch.equal(on_grid(mask_HW, 256), mask_HW[::2, ::2])
