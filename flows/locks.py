"""One pipeline run in a checkout at a time: a second one waits, and says for whom."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(".trashseg") / "flow.lock"
POLL_S = 0.5


@contextmanager
def checkout_lock(say: Callable[[str], object]) -> Iterator[None]:
    """Hold the checkout for this block. The kernel frees it when the process dies, however it dies."""
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
        yield
