"""The hub of pretrained weights where there is no network: asked once, its cache used, one sentence."""

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import segmentation_models_pytorch as smp
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from trashseg.errors import InputError
from trashseg.models.hub import unreachable
from trashseg.models.networks import Architecture, build_network

NOBODY = "http://127.0.0.1:9"
"""The port `discard`: nothing listens there."""


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No hub and an empty cache; gives the cache."""
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", NOBODY + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("encoder", ["mit_b0", "tu-resnet10t"])
def test_no_hub_is_told_at_once_and_in_one_sentence(
    alone: Path, encoder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    start = time.process_time(), time.monotonic()
    with pytest.raises(InputError, match=rf"'imagenet' could not be downloaded \({NOBODY} does not answer: .*local"):
        build_network(Architecture("fpn", encoder), 2, "imagenet")
    waited = time.monotonic() - start[1] - (time.process_time() - start[0])
    assert waited < 15, "the library's own tries wait for 24 s"
    assert capfd.readouterr() == ("", "")
    assert not constants.HF_HUB_OFFLINE


def test_what_the_cache_holds_needs_no_hub(alone: Path) -> None:
    trained = build_network(Architecture("fpn", "mit_b0"), 2)
    settings = smp.encoders.encoders["mit_b0"]["pretrained_settings"]["imagenet"]
    kept = alone / f"models--{settings['repo_id'].replace('/', '--')}" / "snapshots" / settings["revision"]
    kept.mkdir(parents=True)
    (kept / "config.json").write_text("{}")
    save_file(trained.encoder.state_dict(), kept / "model.safetensors")
    network = build_network(Architecture("fpn", "mit_b0"), 2, "imagenet")
    for mine, other in zip(network.encoder.parameters(), trained.encoder.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_the_librarys_own_switch_is_named(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        build_network(Architecture("fpn", "mit_b0"), 2, "imagenet")
    assert constants.HF_HUB_OFFLINE


def test_a_hub_that_answers_is_there_whatever_it_says(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Missing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert unreachable() is None
        server.shutdown()
    assert unreachable() is not None
