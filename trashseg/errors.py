"""The one exception for what a user can mend, and how a command ends on it."""

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """A file, key or value from outside is not what it must be.

    The message is one sentence: which file, key or id, what was found, what
    was expected. Commands print it without a traceback and exit with code 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: `" (did you mean 'unet'?)"`, or nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def run_command(command: Callable[[], object]) -> None:
    """Run a command; an `InputError` becomes its sentence on stderr and exit code 2."""
    try:
        command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
