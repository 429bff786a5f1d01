"""The report's sentences: what a number means, said so that a child can follow."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trashseg.report.scores import Score, Step


def percent(share: float | None) -> str:
    """`62 %`, or `-` where there is no score."""
    return "–" if share is None else f"{100 * share:.0f} %"


def headline(score: Score) -> str:
    """What the headline figure says."""
    text = (
        "The computer looked at photos it had never seen and painted every piece of litter. "
        f"Its paint and the true shapes overlap by {percent(score.miou)} on average over all kinds."
    )
    if score.low is not None and score.high is not None:
        text += f" With other photos like these it would most likely be between {percent(score.low)} "
        text += f"and {percent(score.high)}."
    return text


def mix_ups(confusion_CC: NDArray[np.int64], names: Sequence[str], count: int = 5) -> list[str]:
    """The largest confusions as sentences, by the share of a true class that was taken for another."""
    totals = confusion_CC.sum(1, keepdims=True)
    shares = np.divide(confusion_CC, totals, out=np.zeros(confusion_CC.shape), where=totals > 0)
    np.fill_diagonal(shares, 0)
    order = np.dstack(np.unravel_index(np.argsort(-shares, axis=None, kind="stable"), shares.shape))[0][:count]
    sentences = []
    for true, taken in order:
        share = shares[true, taken]
        if share < 0.01:
            break
        verb = "was overlooked (painted as Background)" if taken == 0 else f"was taken for {names[taken]}"
        if true == 0:
            verb = f"was painted as {names[taken]} though nothing lies there"
        sentences.append(f"{percent(share)} of {names[true]} {verb}.")
    return sentences


def gain(steps: Sequence[Step], chosen: Step) -> str:
    """How far the shipped step is above the best single network, out of fold."""
    singles = [step for step in steps if step.kind == "folds"] or [step for step in steps if step.kind == "member"]
    if not singles or chosen.kind in ("member", "folds"):
        return ""
    single = max(singles, key=lambda step: step.oof.miou)
    points = 100 * (chosen.oof.miou - single.oof.miou)
    if abs(points) < 0.05:
        return f"That is the same as the best single network ({single.round_id}, {single.label})."
    comparison = "above" if points > 0 else "below"
    return f"That is {abs(points):.1f} points {comparison} the best single network ({single.round_id}, {single.label})."


def absent_classes(per_class_share: Mapping[str, float], ious: Mapping[str, float | None]) -> str:
    """A sentence that names the classes without a single labelled pixel, and what they count in the mean."""
    absent = [name for name, share in per_class_share.items() if share == 0]
    if not absent:
        return ""
    listed = absent[0] if len(absent) == 1 else f"{', '.join(absent[:-1])} and {absent[-1]}"
    text = f"No labelled photo shows {listed}: there is nothing to learn, and the averages leave them out."
    painted = [name for name in absent if ious.get(name) is not None]
    if painted:
        text += f" Only {', '.join(painted)} was painted somewhere all the same, which is wrong and counts as 0."
    return text
