"""One function over many items on several cores, with the results in the items' order.

What a function gives may depend on its item alone, never on the worker or the
order of work; so any number of jobs gives the same results. Workers come from
a fork server: forking a process in which OpenCV or torch have started threads
can hang.
"""

import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from trashseg.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNKS_PER_JOB = 8
MAX_CHUNK = 32
ALONE_S = 1.0
WORTH_S = 4.0
"""Workers take one to three seconds to start and import what they need."""


def cores() -> int:
    """The CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1, description: str = "working"
) -> list[Result]:
    """`[function(item) for item in items]` on `jobs` processes, with progress on stderr.

    `jobs` 0 means every core, once there is enough work for starting processes
    to pay; 1 stays in this process. With more, `function` (a module's
    function, or a `functools.partial` of one) and the items are pickled. The
    first exception of a function is raised here and ends the work.
    """
    if jobs == 0:
        results = _alone_then_spread(function, items)
    else:
        results = (
            map(function, items) if min(jobs, len(items)) <= 1 else _spread(function, items, min(jobs, len(items)))
        )
    return list(track(results, description, total=len(items)))


def _alone_then_spread(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Begin in this process; spread what is left after a second if it would take some more."""
    start, done = time.monotonic(), 0
    while done < len(items) and time.monotonic() - start < ALONE_S:
        yield function(items[done])
        done += 1
    left = items[done:]
    jobs = min(cores(), len(left))
    expected_s = len(left) * (time.monotonic() - start) / max(done, 1)
    yield from map(function, left) if jobs <= 1 or expected_s < WORTH_S else _spread(function, left, jobs)


def _spread(function: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    size = max(1, min(MAX_CHUNK, len(items) // (jobs * CHUNKS_PER_JOB)))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(jobs, context, initializer=_one_thread)
    waiting: deque[Future[list[Result]]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_run_chunk, function, chunk))
            if len(waiting) > 2 * jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _run_chunk(function: Callable[[Item], Result], chunk: Sequence[Item]) -> list[Result]:
    return [function(item) for item in chunk]


def _one_thread() -> None:
    """The cores are shared by processes: no threads inside each."""
    os.environ.update(OMP_NUM_THREADS="1", OPENCV_FOR_THREADS_NUM="1")
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
