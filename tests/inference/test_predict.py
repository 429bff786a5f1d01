from typing import Any

import numpy as np
import pytest
import torch

from trashseg.data.resizing import resize
from trashseg.errors import InputError
from trashseg.inference import probabilities
from trashseg.inference.predict import FLIPS, Predictor, View, choose_device, quantised, resampled

CPU = torch.device("cpu")


def photos(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3)).astype(np.uint8) for size in sizes]


def predict(network: Any, images: list[np.ndarray], view: View, batch_size: int = 3) -> list[np.ndarray]:
    predictor = Predictor(network, (64, 64), view, CPU, batch_size)
    return [answer.numpy() for answer in predictor.probabilities(images)]


def batched(network: Any, images: list[np.ndarray], view: View, batch_size: int) -> list[np.ndarray]:
    """As a GPU is kept busy."""
    answers = Predictor(network, (64, 64), view, CPU, batch_size).batched(images)
    return [answer.probabilities_CHW.numpy() for answer in answers]


def plain(network: Any, image_HWC: np.ndarray) -> np.ndarray:
    """The network's softmax of one image, the simple way."""
    with torch.inference_mode():
        return network(torch.from_numpy(image_HWC).permute(2, 0, 1)[None]).softmax(1)[0].numpy()


def test_an_image_of_the_trained_size_is_the_networks_softmax(tiny_network: Any) -> None:
    (image,) = photos((64, 64))
    (answer,) = predict(tiny_network, [image], View())
    np.testing.assert_allclose(answer, plain(tiny_network, image), atol=1e-5)


def test_answers_come_in_order_at_each_photos_own_size(tiny_network: Any) -> None:
    sizes = [(64, 64), (50, 71), (130, 40), (64, 64), (9, 200)]
    for view in (View(), View(whole=False), View(scales=(0.75, 1.25))):
        answers = predict(tiny_network, photos(*sizes), view)
        assert [answer.shape for answer in answers] == [(11, *size) for size in sizes]
        for answer in answers:
            np.testing.assert_allclose(answer.sum(0), 1, atol=1e-4)


@pytest.mark.parametrize(
    "view",
    [
        View(scales=(1.0, 1.5), flips=("none", "horizontal", "vertical", "both")),
        View(whole=False, scales=(1.0, 1.25), flips=("none", "horizontal")),
    ],
)
def test_the_batch_size_changes_nothing(tiny_network: Any, view: View) -> None:
    images = photos((64, 64), (80, 100), (64, 64), (150, 90))
    one_by_one = predict(tiny_network, images, view)
    for batch_size in (1, 8):
        for one, many in zip(one_by_one, batched(tiny_network, images, view, batch_size), strict=True):
            np.testing.assert_allclose(one, many, atol=1e-4)


def test_flips_are_turned_back_and_averaged_as_probabilities(tiny_network: Any) -> None:
    (image,) = photos((64, 96))
    image = resize(image, (64, 64))
    expected = np.mean(
        [
            plain(tiny_network, image),
            plain(tiny_network, image[:, ::-1].copy())[:, :, ::-1],
            plain(tiny_network, image[::-1].copy())[:, ::-1],
        ],
        0,
    )
    (answer,) = predict(tiny_network, [image], View(flips=("none", "horizontal", "vertical")))
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    assert set(FLIPS) == {"none", "horizontal", "vertical", "both"}


def test_windows_of_a_small_image_see_it_mirrored_at_its_edge(tiny_network: Any) -> None:
    (image,) = photos((40, 50))
    (answer,) = predict(tiny_network, [image], View(whole=False))
    padded = np.pad(image, ((0, 24), (0, 14), (0, 0)), mode="symmetric")
    np.testing.assert_allclose(answer, plain(tiny_network, padded)[:, :40, :50], atol=1e-5)


def test_windows_far_from_each_other_do_not_mix(tiny_network: Any) -> None:
    (image,) = photos((64, 256))
    changed = image.copy()
    changed[:, 200:] = 0
    view = View(whole=False)
    before, after = (predict(tiny_network, [each], view)[0] for each in (image, changed))
    np.testing.assert_allclose(before[:, :, :64], after[:, :, :64], atol=1e-5)
    assert np.abs(before[:, :, 200:] - after[:, :, 200:]).max() > 1e-3


@pytest.mark.parametrize("view", [View(flips=("horizontal", "none")), View(scales=(0.75, 1.0), flips=("none",))])
def test_a_single_look_is_kept_beside_the_mean(tiny_network: Any, view: View) -> None:
    images = photos((64, 64), (50, 71), (64, 64))
    predictor = Predictor(tiny_network, (64, 64), view, CPU, 2, keep_single=True)
    together = list(predictor.answers(images))
    for answer, mean, single in zip(
        together, predict(tiny_network, images, view, 2), predict(tiny_network, images, View(), 2), strict=True
    ):
        np.testing.assert_array_equal(answer.probabilities_CHW.numpy(), mean)
        assert answer.single_HW is not None
        assert (answer.single_HW.numpy() == single.argmax(0)).mean() > 0.999
        assert (single.argmax(0) != mean.argmax(0)).any()


def test_a_single_look_in_windows(tiny_network: Any) -> None:
    (image,) = photos((90, 130))
    view = View(whole=False, scales=(1.0, 1.5), flips=("none", "vertical"))
    (answer,) = Predictor(tiny_network, (64, 64), view, CPU, 3, keep_single=True).answers([image])
    (single,) = predict(tiny_network, [image], View(whole=False))
    assert answer.single_HW is not None
    assert (answer.single_HW.numpy() == single.argmax(0)).mean() > 0.999


@pytest.mark.parametrize("view", [View(), View(scales=(0.75, 1.25)), View(flips=("horizontal",))])
def test_without_a_single_look_among_several_none_is_kept(tiny_network: Any, view: View) -> None:
    (answer,) = Predictor(tiny_network, (64, 64), view, CPU, keep_single=True).answers(photos((64, 64)))
    assert answer.single_HW is None


def test_quantised_is_what_the_store_would_do() -> None:
    logits = torch.randn((11, 20, 20), generator=torch.Generator().manual_seed(0)) * 4
    answer = logits.softmax(0)
    levels, kept = quantised(answer)
    expected_levels, expected_kept = probabilities.quantise(answer.numpy())
    assert kept == expected_kept
    np.testing.assert_array_equal(levels, expected_levels)


def test_nan_is_refused() -> None:
    with pytest.raises(InputError, match="the network answers NaN"):
        quantised(torch.full((3, 4, 4), torch.nan))


def test_resampling_keeps_distributions() -> None:
    answer = torch.rand((3, 8, 8)).softmax(0)
    for size in ((16, 20), (4, 4), (8, 8)):
        np.testing.assert_allclose(resampled(answer, size).sum(0), 1, atol=1e-5)


def test_an_unknown_device_is_one_sentence() -> None:
    with pytest.raises(InputError, match="device 'gpu' cannot be used"):
        choose_device("gpu")


def test_too_little_memory_is_one_sentence() -> None:
    class Greedy(torch.nn.Module):
        stride = 32

        def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
            return torch.empty(1 << 60, device=image_BCHW.device)

    for way in (predict, batched):
        with pytest.raises(InputError, match="the memory of cpu does not hold a batch of 3 tiles"):
            way(Greedy(), photos((64, 64)), View(), 3)
