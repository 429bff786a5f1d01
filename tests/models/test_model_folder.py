"""Model folders: what is written is what is read, and nothing else is accepted."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from trashseg.classes import CONTEST
from trashseg.errors import InputError
from trashseg.io import read_json, write_json
from trashseg.models.model_folder import ModelDescription, load_model, save_model
from trashseg.models.networks import Architecture, SegmentationNetwork, build_network

ARCHITECTURE = Architecture("unet", "tu-tf_mobilenetv3_small_minimal_100", {"decoder_channels": [32, 16, 16, 8, 8]})


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    """A small network of eleven classes."""
    return build_network(ARCHITECTURE, 11).eval()


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory) -> Path:
    """Its model folder."""
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, network, ModelDescription(ARCHITECTURE, CONTEST, (64, 96), training={"fold": 1}))
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def test_a_round_trip_gives_the_same_answers(network, saved) -> None:
    loaded, description = load_model(saved)
    image_BCHW = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded(image_BCHW), network(image_BCHW))
    assert description.classes == CONTEST
    assert description.image_size == (64, 96)
    assert description.training == {"fold": 1}
    assert not loaded.training


def test_saving_again_gives_the_same_bytes(network, saved, tmp_path) -> None:
    save_model(tmp_path, network, ModelDescription(ARCHITECTURE, CONTEST, (64, 96), training={"fold": 1}))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in saved.iterdir()}


def test_truncated_weights_are_one_sentence(folder) -> None:
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"weights\.safetensors: cannot be read as safetensors"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "resnet18"}, "another architecture"),
        ({"architecture": "fpn"}, "another architecture|has shape"),
        ({"architecture": "nett"}, "architecture 'nett' is unknown"),
    ],
)
def test_weights_of_another_architecture_are_refused(folder, change, message) -> None:
    value = read_json(folder / "model.json")
    value["network"] |= change
    if "decoder_channels" in value["network"]["options"] and "architecture" in change:
        value["network"]["options"] = {}
    write_json(folder / "model.json", value)
    with pytest.raises(InputError, match=message):
        load_model(folder)


def test_another_number_of_classes_is_refused(folder) -> None:
    value = read_json(folder / "model.json")
    value["classes"] = value["classes"][:5]
    write_json(folder / "model.json", value)
    with pytest.raises(InputError, match=r"segmentation_head.* has shape \(11, .* expected \(5, "):
        load_model(folder)


@pytest.mark.parametrize("content", ["{}", "[]", "{", json.dumps({"format": 9})])
def test_a_broken_description_names_the_file(folder, content) -> None:
    (folder / "model.json").write_text(content)
    with pytest.raises(InputError, match=r"model\.json: "):
        load_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder, value) -> None:
    weights = folder / "weights.safetensors"
    tensors = load_file(weights)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[0] = value
    save_file(tensors, weights)
    with pytest.raises(InputError, match=f"{name}' holds NaN or infinity"):
        load_model(folder)
