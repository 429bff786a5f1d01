"""Segmentation networks by name: uint8 photos in, logits out.

A decoder of segmentation-models-pytorch over one of its or timm's encoders,
with the normalisation inside, so that nothing that calls a network can forget
it, photos travel to the device as uint8, and an exported graph is complete.
There is never a softmax in a network: losses and inference take logits.

B batch, C classes or colours, H height, W width.
"""

import copy
import re
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn

from trashseg.errors import InputError, nearest
from trashseg.models.hub import hub_or_cache
from trashseg.models.packaged_weights import packaged_weights

ARCHITECTURES: dict[str, type[nn.Module]] = dict(smp.MODEL_ARCHITECTURES_MAPPING)
"""Decoders by lower-case name."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

ANY_SIZE: Mapping[str, Mapping[str, Any]] = {
    r"tu-swin": {"strict_img_size": False},
    r"tu-(vit_(tiny|small|base|large|huge|giant)|deit|eva)": {"dynamic_img_size": True},
}
"""What timm's transformers must be told to take images of other sizes than they were pretrained at."""


@dataclass(frozen=True)
class Architecture:
    """What a network is, without its weights; plain values that survive JSON."""

    name: str
    encoder: str
    options: Mapping[str, Any] = field(default_factory=dict)


class SegmentationNetwork(nn.Module):
    """image_BCHW r, g, b in 0..255 (uint8 or float) -> logits_BCHW at the same height and width.

    Height and width must be multiples of `stride`. `mean` and `std` are per
    channel, of values scaled to [0, 1].
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        body: nn.Module,
        classes: int,
        stride: int,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.body = body
        self.classes = classes
        self.stride = stride
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.ones(1, 3, 1, 1), persistent=False)
        self.set_normalisation(mean, std)

    @property
    def encoder(self) -> nn.Module:
        """The part that pretrained weights are for."""
        return self.body.get_submodule("encoder")

    def set_normalisation(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Normalise by these from now on: per channel, of values in [0, 1]."""
        self.mean_and_std = (tuple(mean), tuple(std))
        self.mean.copy_(255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.scale.copy_(1 / (255 * torch.tensor(std)).view(1, 3, 1, 1))

    def forward(self, image_BCHW: Tensor) -> Tensor:
        logits_BCHW: Tensor = self.body((image_BCHW.to(self.scale.dtype) - self.mean) * self.scale)
        return logits_BCHW


def architecture_class(name: str) -> type[nn.Module]:
    """The decoder of a name, whatever its case, with `+` for `plus` (`UNet++`)."""
    key = name.lower().replace("+", "plus").replace("-", "").replace("_", "")
    if key not in ARCHITECTURES:
        known = sorted(kind.__name__ for kind in ARCHITECTURES.values())
        raise InputError(f"architecture {name!r} is unknown{nearest(name, known)}; expected one of {', '.join(known)}")
    return ARCHITECTURES[key]


def encoder_name(name: str) -> str:
    """The encoder's present name; `InputError` for one that neither smp nor timm (as `tu-NAME`) has.

    smp took over most of its `timm-` encoders as `tu-` ones; the old names go on working.
    """
    if name.startswith("timm-") and name not in smp.encoders.get_encoder_names():
        name = name.replace("timm-mobilenetv3", "timm-tf_mobilenetv3").replace("timm-", "tu-", 1)
    if name.startswith("tu-"):
        if not timm.is_model(name.removeprefix("tu-").split(".")[0]):
            known = [f"tu-{model}" for model in timm.list_models()]
            raise InputError(f"encoder {name!r} is unknown to timm{nearest(name, known)}")
    elif name not in smp.encoders.get_encoder_names():
        known = smp.encoders.get_encoder_names()
        raise InputError(f"encoder {name!r} is unknown{nearest(name, known)}; timm's encoders are named 'tu-NAME'")
    return name


def build_network(architecture: Architecture, classes: int, encoder_weights: str | None = None) -> SegmentationNetwork:
    """A network of `classes` output channels.

    `encoder_weights` names pretrained weights (`imagenet`: from an installed
    package where one has them, else from the hub), a local `.safetensors`
    file, or nothing. Raises `InputError` for unknown names,
    options that the decoder does not take, and weights that cannot be had.
    """
    kind = architecture_class(architecture.name)
    encoder = encoder_name(architecture.encoder)
    named = Architecture(architecture.name, encoder, {**_any_size(encoder), **architecture.options})
    tensors = packaged_weights(encoder) if encoder_weights == "imagenet" else None
    if encoder_weights and encoder_weights.endswith(".safetensors"):
        tensors = _read_encoder(Path(encoder_weights))
    body = _body(kind, named, classes, encoder_weights if tensors is None else None)
    if tensors is not None:
        _load_encoder(body, tensors, encoder, encoder_weights or "")
    mean, std = _normalisation(encoder)
    return SegmentationNetwork(body, classes, _stride(body), mean, std)


def _any_size(encoder: str) -> Mapping[str, Any]:
    return next((told for pattern, told in ANY_SIZE.items() if re.match(pattern, encoder)), {})


def _body(kind: type[nn.Module], architecture: Architecture, classes: int, weights: str | None) -> nn.Module:
    """smp's network, its errors told as sentences."""
    where = f"network {architecture.name} over {architecture.encoder}"
    with hub_or_cache() if weights else nullcontext() as away:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return kind(architecture.encoder, encoder_weights=weights, classes=classes, **architecture.options)
        except OSError as error:
            raise InputError(
                f"{where}: the pretrained weights {weights!r} could not be downloaded ({away or _first_line(error)}); "
                "set encoder_weights to null or to a local .safetensors file"
            ) from None
        except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
            raise InputError(f"{where}: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else ""
    return (text.strip().splitlines() or [type(error).__name__])[0][:300]


def _stride(body: nn.Module) -> int:
    """What height and width must be multiples of."""
    stride = getattr(body.encoder, "output_stride", None)
    return int(stride) if isinstance(stride, int) else 32


def _normalisation(encoder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and standard deviation that a timm encoder was trained with; ImageNet's for all others."""
    if encoder.startswith("tu-"):
        name = encoder.removeprefix("tu-")
        if timm.models.is_model_pretrained(name.split(".")[0]):
            known = timm.models.get_pretrained_cfg(name)
            if known is not None:
                return tuple(known.mean), tuple(known.std)
    return IMAGENET_MEAN, IMAGENET_STD


def _read_encoder(path: Path) -> dict[str, Tensor]:
    """The tensors of a local file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path}: no such file of encoder weights")
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read as safetensors: {error}") from None


def _load_encoder(body: nn.Module, tensors: Mapping[str, Tensor], encoder: str, source: str) -> None:
    """Put tensors into the encoder; a classifier's extra ones are left out."""
    module = body.get_submodule("encoder")
    wanted = module.state_dict()
    tensors = {key.removeprefix("encoder.").removeprefix("body.encoder."): value for key, value in tensors.items()}
    if "model." + next(iter(tensors), "") in wanted:  # a timm checkpoint: smp keeps it under `model.`
        tensors = {f"model.{key}": value for key, value in tensors.items()}
    fitting = {key: value for key, value in tensors.items() if key in wanted and value.shape == wanted[key].shape}
    parameters = dict(module.named_parameters())
    missing = [key for key in parameters if key not in fitting]
    if missing:
        raise InputError(
            f"{source}: {len(missing)} of {len(parameters)} tensors of encoder {encoder!r} are absent or of another "
            f"shape, the first is {missing[0]!r}"
        )
    module.load_state_dict(fitting, strict=False)


def check_size(size: tuple[int, int], network: SegmentationNetwork, encoder: str, batch_size: int = 2) -> None:
    """Raise `InputError` where the network cannot train on batches of this height and width.

    Both must be multiples of its stride. What else a decoder or a transformer
    wants (some pool down to nothing, some normalise over a batch of one pixel)
    is found by a step on torch's `meta` device, which computes no values.
    """
    said = f"image size {size[0]}x{size[1]}"
    if size[0] % network.stride or size[1] % network.stride:
        raise InputError(f"{said} is not a multiple of the stride {network.stride} of encoder {encoder!r}")
    shapes = copy.deepcopy(network).to("meta").train()
    try:
        shapes(torch.empty(batch_size, 3, *size, dtype=torch.uint8, device="meta"))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise InputError(
            f"{said} in batches of {batch_size} does not fit {type(network.body).__name__} over encoder {encoder!r}: "
            f"{_first_line(error)}"
        ) from None
