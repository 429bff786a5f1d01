"""One function over many images on threads of this process, results in order.

`trashseg.parallel` does the same on processes. Where the heavy parts (zlib,
OpenCV, numpy, compiled kernels) let go of the interpreter lock, threads start
at once and copy nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from trashseg.parallel import cores
from trashseg.progress import track

T = TypeVar("T")
R = TypeVar("R")


def each(function: Callable[[T], R], items: Sequence[T], description: str, workers: int = 0) -> Iterator[R]:
    """`function` of every item, in order, `workers` at a time (0: one for each core), with progress.

    At most twice as many results as workers wait to be taken, so memory stays flat.
    """
    return track(_ordered(function, items, workers or cores()), description, len(items))


def read_ahead(function: Callable[[T], R], items: Iterable[T], pool: ThreadPoolExecutor, ahead: int) -> Iterator[R]:
    """`function` of each item in order, computed by `pool`, at most `ahead` items before they are taken."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _ordered(function: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    if workers == 1 or len(items) < 2:
        yield from map(function, items)
        return
    remaining = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(function, item) for item in islice(remaining, 2 * workers)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in islice(remaining, 1)]
