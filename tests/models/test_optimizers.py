"""Optimisers: by name, and which parameter learns at which rate."""

import pytest
import torch

from trashseg.errors import InputError
from trashseg.models.networks import Architecture, build_network
from trashseg.models.optimizers import build_optimizer, encoder_depths, parameter_groups

ENCODER = "tu-tf_mobilenetv3_small_minimal_100"


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """A small network."""
    return build_network(Architecture("unet", ENCODER), 3)


@pytest.mark.parametrize("name", ["Adam", "adamw", "radam", "sgd", "lamb"])
def test_a_step_lowers_a_parabola(name: str) -> None:
    value = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = build_optimizer(name, [{"params": [value]}], 0.1, 0.0)
    for _ in range(20):
        optimizer.zero_grad()
        (value**2).backward()
        optimizer.step()
    assert abs(value.item()) < 2


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'adamw'"):
        build_optimizer("adamww", [{"params": [torch.nn.Parameter(torch.zeros(1))]}], 0.1, 0.0)


def test_every_parameter_is_in_one_group(network) -> None:
    groups = parameter_groups(network, 1e-3, 0.01, encoder_factor=0.1, layer_decay=0.9)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    assert all(p.ndim > 1 for group in groups if group["weight_decay"] for p in group["params"])


def test_the_encoder_learns_slower_and_its_stem_slowest(network) -> None:
    groups = parameter_groups(network, 1.0, 0.0, encoder_factor=0.1, layer_decay=0.5)
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    encoder = {name: rates[id(parameter)] for name, parameter in network.encoder.named_parameters()}
    depths = encoder_depths(network.encoder)
    deepest = max(depths.values())
    assert encoder["model.conv_stem.weight"] == pytest.approx(0.1 * 0.5**deepest)
    assert max(encoder.values()) == pytest.approx(0.1)
    assert rates[id(next(network.body.segmentation_head.parameters()))] == 1.0
