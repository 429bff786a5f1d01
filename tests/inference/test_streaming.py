import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trashseg.errors import InputError
from trashseg.inference.on_cpu import MANY_LOOKS
from trashseg.inference.predict import Predictor, View
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.streaming import _with_gpu, predict_photos, read_photo
from trashseg.inference.workers import read_ahead
from trashseg.io import read_image, write_image


def test_reading_ahead_keeps_order_and_is_bounded() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def read(item: int) -> int:
        with lock:
            started.append(item)
        return 10 * item

    with ThreadPoolExecutor(2) as pool:
        results = read_ahead(read, range(100), pool, ahead=4)
        assert next(results) == 0
        assert len(started) <= 6
        assert list(results) == [10 * item for item in range(1, 100)]


@pytest.fixture
def photos(tmp_path: Path) -> dict[int, Path]:
    rng = np.random.default_rng(0)
    files = {image_id: tmp_path / f"{image_id}.png" for image_id in (4, 2, 9)}
    for path in files.values():
        write_image(path, rng.integers(0, 255, (40, 52, 3)).astype(np.uint8))
    return files


@pytest.mark.parametrize("expected", [3, MANY_LOOKS])
def test_a_killed_run_goes_on_and_gives_the_same_files(
    tiny_network: Any, photos: dict[int, Path], tmp_path: Path, expected: int
) -> None:
    def fill(folder: str) -> ProbabilityStore:
        predictor = Predictor(tiny_network, (64, 64), View(), torch.device("cpu"), 2, photos=expected)
        store = ProbabilityStore(tmp_path / folder)
        predict_photos(predictor, photos, store, "predict", workers=2)
        return store

    whole, resumed = fill("a"), fill("b")
    resumed.path(2).unlink()
    resumed.path(9).write_bytes(b"half a fi")
    untouched = resumed.path(4).stat().st_mtime_ns
    fill("b")
    assert resumed.path(4).stat().st_mtime_ns == untouched
    assert resumed.ids() == [2, 4, 9]
    for image_id in photos:
        assert resumed.path(image_id).read_bytes() == whole.path(image_id).read_bytes()


def test_threads_around_a_gpu_write_the_same_answers(
    tiny_network: Any, photos: dict[int, Path], tmp_path: Path
) -> None:
    predictor = Predictor(
        tiny_network, (64, 64), View(flips=("none", "horizontal")), torch.device("cpu"), 2, "32", True
    )
    one, other = (ProbabilityStore(tmp_path / name) for name in ("one", "other"))
    predict_photos(predictor, photos, one, "predict")
    other.folder.mkdir()
    _with_gpu(predictor, list(photos), lambda image_id: read_image(photos[image_id]), other, "predict", 2)
    assert one.ids() == other.ids() == [2, 4, 9]
    for image_id in photos:
        assert one.path(image_id).read_bytes() == other.path(image_id).read_bytes()


def test_a_photo_too_large_is_named(photos: dict[int, Path]) -> None:
    with pytest.raises(InputError, match=r"4\.png: 0\.0 megapixels, expected at most 0\.001"):
        read_photo(photos[4], 0.001)


def test_a_huge_photo_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    image = np.zeros((9000, 9000, 3), np.uint8)
    write_image(path, image)
    with pytest.raises(InputError, match=r"huge\.png: 81\.0 megapixels, expected at most 64"):
        read_photo(path, 64)
    header = path.read_bytes()
    path.write_bytes(header[:16] + (50_000).to_bytes(4, "big") * 2 + header[24:])
    for limit in (64, 5000):
        with pytest.raises(InputError, match=r"huge\.png: "):
            read_photo(path, limit)
