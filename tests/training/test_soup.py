"""Averages of the best epochs: better ones are kept, others are not."""

from pathlib import Path

import pytest
import torch

from tests.training.test_loop import SMALL, train
from trashseg.data.dataset import Example
from trashseg.evaluation.confusion import mean_iou
from trashseg.models.model_folder import read_tensors
from trashseg.models.networks import build_network
from trashseg.training.journal import LAST
from trashseg.training.soup import average


def test_an_average_is_of_weights_and_running_statistics_not_of_counters() -> None:
    states = [
        {"weight": torch.tensor([1.0, 3.0]), "batches": torch.tensor(7)},
        {"weight": torch.tensor([2.0, 5.0]), "batches": torch.tensor(9)},
    ]
    mean = average(states)
    assert mean["weight"].tolist() == [1.5, 4.0] and mean["weight"].dtype == torch.float32
    assert mean["batches"] == 7


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_a_soup_never_scores_worse_than_its_best_epoch(
    examples: list[Example], tmp_path: Path, ema_decay: float
) -> None:
    torch.manual_seed(0)
    outcome = train(
        build_network(SMALL, 11), examples, tmp_path, epochs=6, soup=3, learning_rate=1e-2, ema_decay=ema_decay
    )
    soup = outcome.soup
    assert soup is not None and len(soup.tried) == 3
    scores = {row["epoch"]: row["val_miou"] for row in outcome.history}
    assert [scores[epoch] for epoch in soup.tried] == sorted(scores.values(), reverse=True)[:3]  # type: ignore[type-var]
    assert soup.epochs[0] == outcome.best_epoch and set(soup.epochs) <= set(soup.tried)
    assert soup.single_miou == max(scores.values())  # type: ignore[type-var]
    assert soup.miou == pytest.approx(mean_iou(outcome.best_counts[0]))
    if soup.weights is None:
        assert soup.miou == soup.single_miou and soup.epochs == [outcome.best_epoch]
    else:
        assert soup.miou > soup.single_miou and outcome.best_weights == soup.weights
        parts = [read_tensors(tmp_path / f"best-{epoch:04d}.safetensors") for epoch in soup.epochs]
        for name, tensor in read_tensors(soup.weights).items():
            assert torch.equal(tensor, average(parts)[name])


def test_without_a_soup_the_best_and_the_last_weights_are_kept(examples: list[Example], tmp_path: Path) -> None:
    outcome = train(build_network(SMALL, 11), examples, tmp_path, epochs=3)
    assert outcome.soup is None
    kept = {path.name for path in tmp_path.glob("*.safetensors")}
    assert kept == {outcome.best_weights.name, "last.safetensors"}
    assert outcome.last_weights == tmp_path / "last.safetensors"


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_the_last_weights_are_those_of_the_checkpoint_and_no_soup(
    examples: list[Example], tmp_path: Path, ema_decay: float
) -> None:
    torch.manual_seed(0)
    settings = {"epochs": 6, "soup": 3, "learning_rate": 1e-2, "ema_decay": ema_decay}
    outcome = train(build_network(SMALL, 11), examples, tmp_path, **settings)
    assert outcome.last_weights is not None
    state = torch.load(tmp_path / LAST, weights_only=True)["state_dict"]
    prefix = "averaged.body." if ema_decay else "network.body."
    for name, tensor in read_tensors(outcome.last_weights).items():
        assert torch.equal(tensor, state[prefix + name])
