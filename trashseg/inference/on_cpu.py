"""Prediction on the CPU: a photo to a thread, and the network by onnxruntime where there are many photos.

Threads inside one call of a network wait for each other after every layer, and
wait by spinning: two of them on a busy machine take thirty times the processor
time of one (docs/log.md). Photos need not wait for each other. So each is
answered by one thread, tile after tile; a batch of one stays in the cache. Where
there are photos for every core, the answer depends neither on the batch size
nor on how many cores there are. A single photo still gets all of torch's threads.

onnxruntime runs the same arithmetic with normalisation and activations inside
the convolutions: 1.2 to 2 times as fast as torch. Its graph is made here, from
the network in memory, which takes a second: few photos do without. Whether it
answers as torch does is tried at every size it will be asked at; where it does
not, or a network cannot be turned into a graph, torch goes on. The softmax stays
with torch, which is quicker at it over the channels (docs/log.md).
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trashseg.inference.export import INPUT, Answering, export_onnx, session
from trashseg.models.networks import SegmentationNetwork

MANY_LOOKS = 200
"""Calls of the network from which on a graph is worth making: it takes about as long as it saves in so many."""

TOLERANCE = 1e-4
"""Largest difference of a probability to torch's: what a batch size may change, too."""

OPSET = 18


def at_once(photos: int, at_most: int) -> tuple[int, int]:
    """(photos answered at a time, threads for each): torch's threads, shared out."""
    threads = torch.get_num_threads()
    together = max(1, min(threads, photos, at_most))
    return together, max(1, threads // together)


@contextmanager
def photo_threads(photos: int, at_most: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that answers photos; only its own threads are told how many torch may use."""
    before = torch.get_num_threads()
    together, share = at_once(photos, at_most)
    with ThreadPoolExecutor(together, initializer=torch.set_num_threads, initargs=(share,)) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(before)  # for threads to come; this one never changed


def fast_network(
    network: SegmentationNetwork, sizes: Sequence[tuple[int, int]], threads: int = 1
) -> Callable[[Tensor], Tensor] | None:
    """image_BCHW uint8 -> logits_BCHW by onnxruntime, at any of `sizes`; None where torch must do it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        try:
            export_onnx(network, path, sizes[0], OPSET, softmax=False)
            run = session(path, threads).run
        except Exception:  # what exporters raise has no common type, and torch can do all that they cannot
            return None

    def answer(image_BCHW: Tensor) -> Tensor:
        image_BHWC = image_BCHW.permute(0, 2, 3, 1).contiguous().numpy()
        return torch.from_numpy(run(None, {INPUT: image_BHWC})[0])

    return answer if all(_alike(network, answer, size) for size in sizes) else None


def _alike(network: SegmentationNetwork, answer: Callable[[Tensor], Tensor], size: tuple[int, int]) -> bool:
    """Whether noise of this size gets the same answer from both, within `TOLERANCE`."""
    rng = np.random.default_rng(0)
    image_BHWC = torch.from_numpy(rng.integers(0, 256, (1, *size, 3)).astype(np.uint8))
    with torch.inference_mode():
        expected_BCHW = Answering(network)(image_BHWC)
        try:
            found_BCHW = answer(image_BHWC.permute(0, 3, 1, 2)).softmax(1)
        except Exception:  # a graph that holds the size it was traced with
            return False
    return found_BCHW.shape == expected_BCHW.shape and bool((found_BCHW - expected_BCHW).abs().max() <= TOLERANCE)
