"""Photos from disk through a predictor into a store: reading, the network and writing at the same time.

With a GPU threads read ahead and write behind, so that the network never waits
for a file. On the CPU each thread takes a photo from its file to its answer's
(`on_cpu` says why). A bounded number of photos is on its way at any time.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.inference.on_cpu import photo_threads
from trashseg.inference.predict import Answer, Predictor, quantised
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.workers import read_ahead
from trashseg.io import image_size, read_image
from trashseg.parallel import cores
from trashseg.progress import track


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
    ids = [image_id for image_id in photos if not store.holds(image_id)]

    def read(image_id: int) -> NDArray[np.uint8]:
        return read_photo(photos[image_id], max_megapixels)

    if predictor.device.type != "cpu":
        _with_gpu(predictor, ids, read, store, description, workers or cores())
        return

    def answer(image_id: int) -> None:
        store.write_levels(image_id, *_levels(predictor.answer(read(image_id))))

    # as many threads for what is left as for all of it: the same bytes
    with photo_threads(predictor.photos or len(photos), predictor.batch_size) as pool:
        for _ in track(read_ahead(answer, ids, pool, cores()), description, len(ids)):
            pass


def _levels(answer: Answer) -> tuple[NDArray[np.uint8], list[int], int, NDArray[np.uint8] | None]:
    """What the store writes of an answer: levels_KHW, which classes they are of how many, single_HW."""
    levels_KHW, kept = quantised(answer.probabilities_CHW)
    single_HW = None if answer.single_HW is None else answer.single_HW.cpu().numpy()
    return levels_KHW, kept, len(answer.probabilities_CHW), single_HW


def _with_gpu(
    predictor: Predictor,
    ids: Sequence[int],
    read: Callable[[int], NDArray[np.uint8]],
    store: ProbabilityStore,
    description: str,
    workers: int,
) -> None:
    """Threads around one that keeps the GPU busy."""
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as writers:
        writing: deque[Future[Any]] = deque()
        answers = predictor.answers(read_ahead(read, ids, readers, predictor.batch_size + workers))
        for image_id, answer in zip(ids, track(answers, description, len(ids)), strict=True):
            writing.append(writers.submit(store.write_levels, image_id, *_levels(answer)))
            if len(writing) > 2 * workers:
                writing.popleft().result()
        for done in writing:
            done.result()
