"""Learning-rate schedules: a factor of the base rate as a pure function of progress.

A schedule knows no state but the step, so a resumed training continues it
exactly. `progress` runs from 0 at the end of the warm-up to 1 at the end.
"""

import math
from collections.abc import Callable

from trashseg.errors import InputError, nearest

Schedule = Callable[[float], float]


def constant(progress: float) -> float:  # noqa: ARG001 (the shape of a schedule)
    """Always the base rate."""
    return 1.0


def poly(progress: float) -> float:
    """(1 - progress)^0.9, as DeepLab trains (arXiv:1606.00915)."""
    return float((1 - progress) ** 0.9)


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def cosine_restarts(progress: float) -> float:
    """Three cosines, each twice as long as the one before and starting at 0.7 of its rate."""
    position = progress * 7  # cycles of length 1, 2 and 4
    for cycle, length in enumerate((1, 2, 4)):
        if position < length or cycle == 2:
            return float(0.7**cycle * cosine(min(1.0, position / length)))
        position -= length
    raise AssertionError(progress)


def one_cycle(progress: float) -> float:
    """Up from 1/25 for the first 30 %, then down to 1/10,000 (Smith and Topin 2018, arXiv:1708.07120)."""
    if progress < 0.3:
        return 1 / 25 + (1 - 1 / 25) * (1 - cosine(progress / 0.3))
    return 1e-4 + (1 - 1e-4) * cosine((progress - 0.3) / 0.7)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "poly": poly,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "one_cycle": one_cycle,
}


def build_schedule(name: str, steps: int, warmup_steps: int = 0) -> Callable[[int], float]:
    """The factor of the learning rate at each step 0..steps-1; it rises linearly for `warmup_steps`."""
    key = name.lower().replace("-", "_")
    if key not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        raise InputError(f"schedule {name!r} is unknown{nearest(key, SCHEDULES)}; expected one of {known}")
    schedule = SCHEDULES[key]

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        return schedule(min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps)))

    return factor
