"""Photos from disk through a predictor into a store: reading, the network and writing at the same time.

Threads read ahead and write behind, so that the network never waits for a
file; a bounded number of photos is on its way at any time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.inference.predict import Predictor, quantised
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import image_size, read_image
from trashseg.parallel import cores
from trashseg.progress import track

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(function: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor, ahead: int) -> Iterator[R]:
    """`function` of each item in order, computed by `pool`, at most `ahead` items before they are taken."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def read_photo(path: Path, max_megapixels: float, upright: bool = False) -> NDArray[np.uint8]:
    """image_HWC, uint8; a photo of more pixels than allowed is an `InputError`, before it takes any memory."""
    height, width = image_size(path)
    megapixels = height * width / 1e6
    if megapixels > max_megapixels:
        raise InputError(f"{path}: {megapixels:.1f} megapixels, expected at most {max_megapixels:g} (max_megapixels)")
    return read_image(path, upright)


def predict_photos(
    predictor: Predictor,
    photos: Mapping[int, Path],
    store: ProbabilityStore,
    description: str,
    workers: int = 0,
    max_megapixels: float = 64.0,
) -> None:
    """Fill `store` with the probabilities of `photos` (id -> file); those it holds already are left as they are."""
    workers = workers or cores()
    ids = [image_id for image_id in photos if not store.holds(image_id)]
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as writers:
        ahead = predictor.batch_size + workers

        def read(image_id: int) -> NDArray[np.uint8]:
            return read_photo(photos[image_id], max_megapixels)

        writing: deque[Future[Any]] = deque()
        answers = predictor.answers(read_ahead(read, ids, readers, ahead))
        for image_id, answer in zip(ids, track(answers, description, len(ids)), strict=True):
            levels_KHW, kept = quantised(answer.probabilities_CHW)
            single_HW = None if answer.single_HW is None else answer.single_HW.cpu().numpy()
            classes = len(answer.probabilities_CHW)
            writing.append(writers.submit(store.write_levels, image_id, levels_KHW, kept, classes, single_HW))
            if len(writing) > 2 * workers:
                writing.popleft().result()
        for done in writing:
            done.result()
