"""The steps of a round by name: their order, and which are compared with which.

Each step is compared with the one it was made from, members and networks with
the first of their kind, and the last step with the first: always on the same
images.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

MEMBER, FOLDS, WITHOUT_TTA = "member ", " folds", " without TTA"
ENSEMBLE, FINAL = "ensemble", "crf"
"""The masks of `FINAL` are shipped; where the CRF is off they are the ensemble's."""


def member_step(network: str, fold: int) -> str:
    """`member unet/0`."""
    return f"{MEMBER}{network}/{fold}"


def position(step: str) -> tuple[int, str, bool]:
    """Sorts steps as they are made: members, networks, the ensemble, the CRF; a single look before several."""
    kinds = (step.startswith(MEMBER), step.endswith((FOLDS, WITHOUT_TTA)), step == ENSEMBLE, step == FINAL)
    return kinds.index(True), step.removesuffix(WITHOUT_TTA).removesuffix(FOLDS), not step.endswith(WITHOUT_TTA)


def pairs(images: Mapping[str, Sequence[int]]) -> list[tuple[str, str]]:
    """(from, to) of all comparisons; `images` maps each step to the ids it answers, in the pipeline's order."""
    wanted = dict.fromkeys(_wanted(list(images), images))
    return [(a, b) for a, b in wanted if a != b and a in images and b in images and images[a] == images[b]]


def _wanted(steps: Sequence[str], images: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, str]]:
    members = [step for step in steps if step.startswith(MEMBER) and not step.endswith(WITHOUT_TTA)]
    folds = [step for step in steps if step.endswith(FOLDS)]
    yield from ((step + WITHOUT_TTA, step) for step in members)
    yield from ((step.removesuffix(FOLDS) + WITHOUT_TTA, step) for step in folds)
    yield from ((next(other for other in members if images[other] == images[step]), step) for step in members)
    yield from ((step, step.removeprefix(MEMBER).rpartition("/")[0] + FOLDS) for step in members)
    yield from pairwise(folds)
    yield from ((step, ENSEMBLE) for step in folds)
    yield ENSEMBLE, FINAL
    yield next(step for step in steps if images[step] == images[FINAL]), FINAL
