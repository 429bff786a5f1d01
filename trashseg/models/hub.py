"""The hub of pretrained weights, asked once whether it answers.

Its library tries each file six times, with a line of warning for each, before
it says that there is no network: one question tells as much at once.
Where the hub does not answer, its library is told to take what its cache holds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub
from huggingface_hub import constants

PATIENCE_S = 5.0


def unreachable() -> str | None:
    """Why the hub cannot be asked, in words; None where it answers, whatever the answer."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set, and the hub's cache does not hold them"
    try:
        huggingface_hub.get_session().head(constants.ENDPOINT, timeout=PATIENCE_S)
    except Exception as error:  # of the library's HTTP client, which is another one in each of its versions
        return f"{constants.ENDPOINT} does not answer: {str(error) or type(error).__name__}"
    return None


@contextmanager
def hub_or_cache() -> Iterator[str | None]:
    """Inside, the hub's library downloads where the hub answers, and else takes what its cache holds at once.

    Yields why the hub cannot be asked, None where it can.
    """
    reason = unreachable()
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or reason is not None
    try:
        yield reason
    finally:
        constants.HF_HUB_OFFLINE = before
