"""Losses: known values, nothing from ignored pixels, names."""

import pytest
import torch

from trashseg.classes import VOID
from trashseg.errors import InputError
from trashseg.models.losses import LOSSES, build_loss, class_weights, parse_loss

CLASSES = 4


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """logits_BCHW that want a gradient, and target_BHW with a VOID half."""
    numbers = torch.Generator().manual_seed(seed)
    logits_BCHW = torch.randn(2, CLASSES, 8, 8, generator=numbers, requires_grad=True)
    target_BHW = torch.randint(0, CLASSES, (2, 8, 8), generator=numbers)
    target_BHW[:, :4] = VOID
    return logits_BCHW, target_BHW


@pytest.mark.parametrize("name", [*LOSSES, "ce+dice", "0.5*focal+2*lovasz"])
@pytest.mark.parametrize("weight_C", [None, torch.tensor([1.0, 2.0, 3.0, 4.0])])
def test_ignored_pixels_carry_no_gradient(name: str, weight_C: torch.Tensor | None) -> None:
    logits_BCHW, target_BHW = batch()
    value = build_loss(name, weight_C)(logits_BCHW, target_BHW)
    value.backward()
    assert value.shape == () and value > 0
    assert logits_BCHW.grad is not None
    assert not logits_BCHW.grad[:, :, :4].any()
    assert logits_BCHW.grad[:, :, 4:].any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_ignored_pixels_is_a_finite_zero(name: str) -> None:
    logits_BCHW, target_BHW = batch()
    value = build_loss(name, torch.ones(CLASSES))(logits_BCHW, torch.full_like(target_BHW, VOID))
    value.backward()
    assert value == 0
    assert logits_BCHW.grad is not None and torch.equal(logits_BCHW.grad, torch.zeros_like(logits_BCHW))


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "soft_ce"])
def test_a_sure_right_answer_costs_nothing(name: str) -> None:
    _, target_BHW = batch()
    logits_BCHW = torch.zeros(2, CLASSES, 8, 8)
    labels_BHW = target_BHW * (target_BHW != VOID)
    logits_BCHW.scatter_(1, labels_BHW.unsqueeze(1), 100.0)
    assert build_loss(name)(logits_BCHW, target_BHW) < 1e-4


def test_values_by_hand() -> None:
    logits_BCHW = torch.zeros(1, 2, 1, 2)  # every probability is 1/2
    target_BHW = torch.tensor([[[0, 1]]])
    log2 = torch.tensor(2.0).log()
    assert torch.allclose(build_loss("ce")(logits_BCHW, target_BHW), log2)
    assert torch.allclose(build_loss("focal")(logits_BCHW, target_BHW), log2 / 4)
    assert torch.allclose(build_loss("dice")(logits_BCHW, target_BHW), torch.tensor(0.5))  # 2 * 0.5 / 2 each
    assert torch.allclose(build_loss("jaccard")(logits_BCHW, target_BHW), torch.tensor(2 / 3))  # 0.5 / 1.5 each
    assert torch.allclose(build_loss("ce+2*dice")(logits_BCHW, target_BHW), log2 + 1)


def test_lovasz_is_one_minus_iou_for_sure_answers() -> None:
    target_BHW = torch.tensor([[[0, 0, 1, 1]]])
    sure_BHW = torch.tensor([[[0, 1, 1, 1]]])
    logits_BCHW = 100.0 * torch.nn.functional.one_hot(sure_BHW, 2).movedim(-1, 1)
    expected = 1 - (1 / 2 + 2 / 3) / 2  # IoU of 0 is 1/2, of 1 is 2/3
    assert build_loss("lovasz")(logits_BCHW, target_BHW).item() == pytest.approx(expected, abs=1e-5)


def test_smoothing_is_of_cross_entropy_alone() -> None:
    logits_BCHW, target_BHW = batch()
    smoothed, plain = build_loss("ce", smoothing=0.1), build_loss("soft_ce")
    assert torch.allclose(smoothed(logits_BCHW, target_BHW), plain(logits_BCHW, target_BHW))
    dice = build_loss("dice", smoothing=0.1)(logits_BCHW, target_BHW)
    assert torch.equal(dice, build_loss("dice")(logits_BCHW, target_BHW))


def test_class_weights_favour_rare_classes_and_leave_the_mean_pixel_alone() -> None:
    pixels_C = torch.tensor([900, 100, 0])
    weight_C = class_weights(pixels_C, 0.5)
    assert weight_C is not None
    assert weight_C[1] / weight_C[0] == pytest.approx(3.0)
    assert weight_C[2] == weight_C[1]
    assert (weight_C[:2] * torch.tensor([0.9, 0.1])).sum() == pytest.approx(1.0)
    assert class_weights(pixels_C, 0) is None


def test_names_are_read_as_the_original_wrote_them() -> None:
    assert parse_loss("FocalLoss")[0][1] is LOSSES["focal"]
    assert parse_loss("0.5*CE + dice")[0] == (0.5, LOSSES["ce"])


@pytest.mark.parametrize(
    ("text", "hint"),
    [("focl", "did you mean 'focal'"), ("ce+", "''"), ("x*ce", "'x'"), ("-1*ce", "'-1'"), ("nan*ce", "'nan'")],
)
def test_bad_names_are_one_sentence(text: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        build_loss(text)
