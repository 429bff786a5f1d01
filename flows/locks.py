"""One pipeline run in a checkout at a time: a second one waits, and says for whom.

A flow that calls another one, such as `ablation`, holds the lock over all of
them; the inner ones find it held by their own process and go on.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(".trashseg") / "flow.lock"
POLL_S = 0.5

_held: list[Path] = []
"""The locks that a block of this process holds."""


@contextmanager
def checkout_lock(say: Callable[[str], object]) -> Iterator[None]:
    """Hold the checkout for this block. The kernel frees it when the process dies, however it dies."""
    place = LOCK.absolute()
    if place in _held:
        yield
        return
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("a+") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    file.seek(0)
                    say(f"process {file.read().strip() or '?'} runs the pipeline in this checkout; waiting for its end")
                told = True
                time.sleep(POLL_S)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _held.append(place)
        try:
            yield
        finally:
            _held.remove(place)
