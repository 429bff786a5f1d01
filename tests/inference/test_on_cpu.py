import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trashseg.inference.on_cpu import MANY_LOOKS, at_once, fast_network, photo_threads
from trashseg.inference.predict import Predictor, View

CPU = torch.device("cpu")


def noise(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for _ in range(count)]


@pytest.fixture
def two_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_are_shared_out(two_threads: None) -> None:
    assert [at_once(100, 8), at_once(1, 8), at_once(100, 1), at_once(0, 8)] == [(2, 1), (1, 2), (1, 2), (1, 2)]


def test_only_the_pool_is_told_its_threads(two_threads: None) -> None:
    with photo_threads(100, 8) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 2
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_the_graph_answers_as_torch_at_every_size_it_was_made_for(tiny_network: Any) -> None:
    sizes = [(64, 64), (96, 160)]
    fast = fast_network(tiny_network, sizes)
    assert fast is not None
    assert not any(module.training for module in tiny_network.modules())
    for size in sizes:
        image_BCHW = torch.from_numpy(np.stack(noise(2, size))).permute(0, 3, 1, 2)
        with torch.inference_mode():
            expected_BCHW = tiny_network(image_BCHW).softmax(1)
        np.testing.assert_allclose(fast(image_BCHW.flip(-1).flip(-1)).softmax(1), expected_BCHW, atol=1e-5)


class OfOneSize(nn.Module):
    """Its trace holds the size it was made with."""

    def forward(self, image_BCHW: Tensor) -> Tensor:
        height, width = (int(side) for side in image_BCHW.shape[2:])
        return image_BCHW.float().mean((2, 3), keepdim=True).expand(-1, -1, height, width) / 255


class Changing(nn.Module):
    """Its trace holds the brightness it was made with: it answers, otherwise than torch."""

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return image_BCHW.float() / 255 * (1 if float(image_BCHW.float().mean()) < 1 else 4)


class Untraceable(nn.Module):
    """An operator that no graph knows."""

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return torch.linalg.eigvals(image_BCHW.float()[:, :, :32, :32]).real[..., None].expand(-1, -1, -1, 32)


@pytest.mark.parametrize("network", [OfOneSize(), Changing(), Untraceable()])
@pytest.mark.filterwarnings("ignore")
def test_torch_goes_on_where_a_graph_would_answer_otherwise(network: Any) -> None:
    assert fast_network(network, [(32, 32), (64, 64)]) is None


@pytest.mark.parametrize("view", [View(flips=("none", "horizontal")), View(whole=False, scales=(1.0, 1.25))])
def test_many_photos_get_the_answers_of_few(tiny_network: Any, view: View) -> None:
    images = [*noise(3, (64, 64)), *noise(2, (80, 100))]
    few, many = (
        list(Predictor(tiny_network, (64, 64), view, CPU, 4, photos=photos).probabilities(images))
        for photos in (len(images), MANY_LOOKS)
    )
    for one, other in zip(few, many, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert any((one != other).any() for one, other in zip(few, many, strict=True))  # two engines


def test_answers_are_the_same_bytes_whatever_is_answered_beside_them(tiny_network: Any, two_threads: None) -> None:
    images = noise(6, (72, 64))
    view = View(flips=("none", "vertical"))
    alone, together = (
        list(Predictor(tiny_network, (64, 64), view, CPU, batch_size, photos=MANY_LOOKS).probabilities(images))
        for batch_size in (2, 6)
    )
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
