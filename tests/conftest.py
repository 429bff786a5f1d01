"""Fixtures every test may use: the real photos, where there are any."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

# A fresh MLflow store costs 6 s: tests that are not about tracking do without (tests/tracking turns it on).
os.environ.setdefault("TRASHSEG_TRACKING", "off")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos and polygons; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TRASHSEG_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real photos are absent: no folder {folder}; set TRASHSEG_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def trash_real(real_data: Path) -> Path:
    """413 labelled and 101 other photos, 512x512, COCO polygons."""
    return real_data / "trash_real"


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One Prefect server with a database of its own for all tests that run flows; starting it takes many seconds."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture(scope="session")
def write_tiny_model() -> Callable[..., None]:
    """Writes a model folder of a tiny network with random weights: (folder, seed, classes)."""
    import torch

    from trashseg.classes import CONTEST, Classes
    from trashseg.models.model_folder import ModelDescription, save_model
    from trashseg.models.networks import Architecture, build_network

    options = {"encoder_depth": 3, "decoder_channels": [16, 12, 8]}
    architecture = Architecture("Unet", "timm-mobilenetv3_small_minimal_100", options)

    def write(folder: Path, seed: int = 0, classes: Classes | None = None) -> None:
        torch.manual_seed(seed)
        classes = classes or CONTEST
        network = build_network(architecture, len(classes))
        description = ModelDescription(architecture, classes, (64, 64), *network.mean_and_std, {"fold": seed})
        save_model(folder, network, description)

    return write
