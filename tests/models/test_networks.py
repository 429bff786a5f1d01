"""Networks: names, shapes, normalisation inside, errors as sentences."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from trashseg.errors import InputError
from trashseg.models import packaged_weights
from trashseg.models.networks import ARCHITECTURES, Architecture, build_network, check_size

ENCODER = "tu-tf_mobilenetv3_small_minimal_100"
LITE = "tu-tf_efficientnet_lite0"


CNN, PYRAMID, SWIN, VIT = ENCODER, "mit_b0", "tu-swin_tiny_patch4_window7_224", "tu-vit_tiny_patch16_224"
DILATED = "cannot be dilated, as this decoder wants it"

REFUSED = {
    ("deeplabv3", SWIN): DILATED,
    ("deeplabv3plus", SWIN): DILATED,
    ("pan", SWIN): DILATED,
    ("linknet", PYRAMID): "smp has no such pair",
    ("unetplusplus", PYRAMID): "smp has no such pair",
    ("dpt", PYRAMID): "DPT takes timm's encoders alone",
    **{(name, VIT): "a plain ViT has one scale; DPT is made for it" for name in ARCHITECTURES if name != "dpt"},
}
"""Pairs that do not exist, and why."""


@pytest.mark.parametrize("encoder", [CNN, PYRAMID, SWIN, VIT])
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_decoder_learns_over_convolutions_and_transformers(name: str, encoder: str) -> None:
    architecture = Architecture(name, encoder)
    if (name, encoder) in REFUSED:
        with pytest.raises(InputError, match=f"network {name} over {encoder}: "):
            build_network(architecture, 5)
        return
    network = build_network(architecture, 5).train()
    side = 128 if name == "pan" else 64
    check_size((side, side), network, encoder)
    logits_BCHW = network(torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8))
    assert logits_BCHW.shape == (2, 5, side, side)
    assert not (logits_BCHW.sum(1) - 1).abs().max() < 1e-3  # no softmax
    logits_BCHW.square().mean().backward()
    reached = [name for name, value in network.encoder.named_parameters() if value.grad is not None]
    assert reached and all(value.grad is not None for value in network.body.segmentation_head.parameters())


@pytest.mark.parametrize("encoder", [SWIN, VIT])
def test_transformers_take_images_of_any_size(encoder: str) -> None:
    network = build_network(Architecture("dpt", encoder), 3).eval()
    for height, width in ((64, 96), (160, 64)):
        with torch.no_grad():
            assert network(torch.zeros(1, 3, height, width, dtype=torch.uint8)).shape == (1, 3, height, width)


@pytest.mark.parametrize(
    ("name", "encoder", "size", "batch", "message"),
    [
        ("pan", CNN, 64, 2, "64x64 in batches of 2 does not fit PAN over encoder .*: Given input size"),
        ("deeplabv3plus", CNN, 64, 1, "in batches of 1 does not fit DeepLabV3Plus .*more than 1 value per channel"),
        ("unet", "tu-maxvit_nano_rw_256", 64, 2, "does not fit Unet .*must be divisible by window"),
    ],
)
def test_a_size_that_does_not_fit_is_told_before_training(
    name: str, encoder: str, size: int, batch: int, message: str
) -> None:
    network = build_network(Architecture(name, encoder), 3)
    with pytest.raises(InputError, match=message):
        check_size((size, size), network, encoder, batch)
    assert next(network.parameters()).device.type == "cpu"


def test_the_normalisation_is_the_encoders_own() -> None:
    network = build_network(Architecture("unet", ENCODER), 2)
    assert network.mean_and_std == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    seen = []
    network.body.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network.eval()(torch.full((1, 3, 32, 32), 255, dtype=torch.uint8))
    assert torch.allclose(seen[0], torch.ones(()))


def test_old_and_original_names_work() -> None:
    network = build_network(Architecture("UNet++", "timm-mobilenetv3_small_minimal_100"), 2)
    assert network.body.__class__.__name__ == "UnetPlusPlus"


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (Architecture("unett", ENCODER), "did you mean 'Unet'"),
        (Architecture("unet", "resnet19"), "did you mean 'resnet18'"),
        (Architecture("unet", "tu-resnet19"), "did you mean 'tu-resnet18'"),
        (Architecture("fpn", ENCODER, {"colour": 1}), "colour"),
    ],
)
def test_unknown_names_offer_the_nearest(architecture: Architecture, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_network(architecture, 2)


def test_a_size_that_the_stride_does_not_divide_is_refused() -> None:
    network = build_network(Architecture("unet", ENCODER), 2)
    with pytest.raises(InputError, match="100x96 is not a multiple of the stride 32"):
        check_size((100, 96), network, ENCODER)


def test_encoder_weights_from_a_file(tmp_path) -> None:
    trained = build_network(Architecture("unet", ENCODER), 2)
    save_file(trained.encoder.state_dict(), tmp_path / "encoder.safetensors")
    timm_names = {name.removeprefix("model."): value for name, value in trained.encoder.state_dict().items()}
    save_file({**timm_names, "classifier.bias": torch.zeros(1000)}, tmp_path / "timm.safetensors")
    for name in ("encoder", "timm"):
        network = build_network(Architecture("fpn", ENCODER), 2, str(tmp_path / f"{name}.safetensors"))
        for mine, other in zip(network.encoder.parameters(), trained.encoder.parameters(), strict=True):
            assert torch.equal(mine, other)


def test_pretrained_weights_come_from_the_installed_package() -> None:
    first, second = (build_network(Architecture(name, LITE), 2, "imagenet") for name in ("unet", "fpn"))
    for mine, other in zip(first.encoder.state_dict().values(), second.encoder.state_dict().values(), strict=True):
        assert torch.equal(mine, other)
    random = build_network(Architecture("unet", LITE), 2)
    assert not torch.equal(
        first.encoder.state_dict()["model.conv_stem.weight"], random.encoder.state_dict()["model.conv_stem.weight"]
    )


def test_a_package_with_another_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = packaged_weights.PACKAGES[LITE]
    monkeypatch.setitem(packaged_weights.PACKAGES, LITE, replace(known, sha256="0" * 64))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected sha256 0000"):
        build_network(Architecture("unet", LITE), 2, "imagenet")


def test_encoder_weights_of_another_encoder_are_refused(tmp_path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="tensors of encoder"):
        build_network(Architecture("unet", ENCODER), 2, str(path))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        build_network(Architecture("unet", ENCODER), 2, str(path))
    with pytest.raises(InputError, match="no such file"):
        build_network(Architecture("unet", ENCODER), 2, str(tmp_path / "none.safetensors"))
