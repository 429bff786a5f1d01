"""What can go wrong around a training, told as one sentence.

None of it is lost work: the checkpoint before it is whole, and the same
command goes on from there.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trashseg.errors import InputError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Turn a full disk, and what ends a loading process, into an `InputError`; `folder` is where checkpoints lie."""
    again = f"the last good checkpoint is kept in {folder}: the same command goes on from there"
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        where = error.filename or folder
        raise InputError(f"{where}: cannot be written: {error.strerror}; make room; {again}") from None
    except InputError as error:
        raise InputError(_own_words(str(error))) from None
    except RuntimeError as error:
        dead = re.search(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) .*", str(error))
        if dead is None:
            raise
        raise InputError(
            f"a loading process died ({dead.group().split('. ')[0].rstrip('.')}); fewer train.workers or a smaller "
            f"train.cache_gb need less memory; {again}"
        ) from None


def _own_words(text: str) -> str:
    """The sentence of an `InputError` that torch brought from a loading process, without its traceback."""
    if not text.startswith("Caught InputError in DataLoader worker"):
        return text
    return text.strip().splitlines()[-1].partition("InputError: ")[2]
