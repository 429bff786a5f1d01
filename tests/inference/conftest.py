"""Fixtures of the inference tests: one tiny trained-for-nothing network."""

import pytest


@pytest.fixture(scope="session")
def tiny_network() -> object:
    """A network of 11 classes with random weights, in eval mode."""
    import torch

    from trashseg.models.networks import Architecture, build_network

    torch.manual_seed(0)
    options = {"encoder_depth": 3, "decoder_channels": [16, 12, 8]}
    network = build_network(Architecture("Unet", "timm-mobilenetv3_small_minimal_100", options), 11)
    return network.eval()
