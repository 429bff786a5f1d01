"""Settings of a network (`networks.NAME` in params.yaml)."""

from typing import Any

from pydantic import Field

from trashseg.config import Section


class NetworkConfig(Section):
    """One network by name: a decoder of segmentation-models-pytorch over one of its or timm's encoders."""

    architecture: str = Field("UnetPlusPlus", description="decoder: Unet, UnetPlusPlus, FPN, UPerNet, Segformer, ...")
    encoder: str = Field("efficientnet-b5", description="encoder of smp, or of timm as 'tu-NAME'")
    encoder_weights: str | None = Field(
        "imagenet", description="pretrained weights by name, a local .safetensors file, or null for none"
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="further arguments of the decoder, such as decoder_channels"
    )
