"""A model folder: `weights.safetensors` and `model.json`, all that inference needs.

A training leaves its last epoch's weights beside its best one's, as
`last.safetensors`; a model is named by its folder, which means the best, or by
a file of weights in it.

Plain tensors and plain values: loading someone else's folder runs no code
from it. `model.json` names the network, its classes, the normalisation, the
size it was trained at and where its training data came from.
"""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from trashseg.classes import Classes
from trashseg.errors import InputError
from trashseg.io import read_json, write_bytes, write_json
from trashseg.models.networks import Architecture, SegmentationNetwork, build_network

WEIGHTS = "weights.safetensors"
LAST_WEIGHTS = "last.safetensors"
DESCRIPTION = "model.json"
FORMAT = 1


@dataclass(frozen=True)
class ModelDescription:
    """What `model.json` says of a model.

    `image_size` is the (height, width) in pixels that images were resized to
    in training. `training` holds plain values about how it came to be: round,
    model, fold, seed, lineage digest, `passed_on_from` where a round declined.
    """

    architecture: Architecture
    classes: Classes
    image_size: tuple[int, int]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)


def save_model(folder: Path, network: SegmentationNetwork, description: ModelDescription) -> None:
    """Write the weights (float32, CPU) and the description, each whole or not at all."""
    digest = save_weights(folder / WEIGHTS, network.body.state_dict())
    write_description(folder, network, description, digest)


def save_weights(path: Path, state: Mapping[str, torch.Tensor]) -> str:
    """Write a network's tensors as safetensors, on the CPU, whole or not at all; gives the file's sha256."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    content = save(tensors, metadata={"format": "pt"})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def write_description(
    folder: Path, network: SegmentationNetwork, description: ModelDescription, weights_sha256: str
) -> None:
    """Write `model.json` beside weights that are already there."""
    value = {
        "format": FORMAT,
        "network": {
            "architecture": description.architecture.name,
            "encoder": description.architecture.encoder,
            "options": dict(description.architecture.options),
            "stride": network.stride,
        },
        "classes": [
            {"name": name, "colour": list(colour)}
            for name, colour in zip(description.classes.names, description.classes.colours, strict=True)
        ],
        "normalisation": {"mean": list(network.mean_and_std[0]), "std": list(network.mean_and_std[1])},
        "image_size": list(description.image_size),
        "weights_sha256": weights_sha256,
        "training": dict(description.training),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "segmentation-models-pytorch", "timm")},
        },
    }
    write_json(folder / DESCRIPTION, value)


def read_description(folder: Path) -> ModelDescription:
    """What `model.json` says; `InputError` where it is absent, broken or of a later format."""
    path = folder / DESCRIPTION
    value = read_json(path)
    try:
        if value["format"] != FORMAT:
            raise InputError(f"{path}: format {value['format']!r} found, expected {FORMAT}")
        network = value["network"]
        names = tuple(str(row["name"]) for row in value["classes"])
        colours = tuple((int(r), int(g), int(b)) for r, g, b in (row["colour"] for row in value["classes"]))
        height, width = value["image_size"]
        return ModelDescription(
            Architecture(str(network["architecture"]), str(network["encoder"]), dict(network["options"])),
            Classes(names, colours),
            (int(height), int(width)),
            tuple(float(v) for v in value["normalisation"]["mean"]),
            tuple(float(v) for v in value["normalisation"]["std"]),
            dict(value["training"]),
        )
    except InputError:
        raise
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{path}: expected a description with network, classes, normalisation, image_size") from None


def folder_and_weights(model: Path) -> tuple[Path, Path]:
    """The folder of a model and the file of its weights, where `model` names either."""
    return (model.parent, model) if model.suffix == ".safetensors" else (model, model / WEIGHTS)


def load_model(model: Path) -> tuple[SegmentationNetwork, ModelDescription]:
    """The network, on the CPU in eval mode, and its description; `model` is a folder, or a file of weights in one.

    Raises `InputError` for a missing, truncated or foreign file, and for
    weights of another architecture or another number of classes.
    """
    folder, weights = folder_and_weights(model)
    description = read_description(folder)
    network = build_network(description.architecture, len(description.classes))
    network.set_normalisation(description.mean, description.std)
    load_weights(network, weights)
    return network.eval(), description


def load_weights(network: SegmentationNetwork, path: Path) -> None:
    """Put the tensors of a safetensors file into a network of the same architecture."""
    tensors = read_tensors(path)
    wanted = network.body.state_dict()
    for name, tensor in wanted.items():
        if name not in tensors:
            raise InputError(f"{path}: tensor {name!r} is absent: these are weights of another architecture")
        if tensors[name].shape != tensor.shape:
            found, expected = tuple(tensors[name].shape), tuple(tensor.shape)
            raise InputError(f"{path}: tensor {name!r} has shape {found}, expected {expected}")
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{path}: tensor {name!r} holds NaN or infinity: the training went wrong")
    extra = sorted(tensors.keys() - wanted.keys())
    if extra:
        raise InputError(f"{path}: tensor {extra[0]!r} is unknown: these are weights of another architecture")
    network.body.load_state_dict(tensors)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, on the CPU."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read as safetensors (truncated?): {error}") from None
