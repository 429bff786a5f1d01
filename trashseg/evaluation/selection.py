"""Which round to ship, from out-of-fold scores alone, and why, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.evaluation.confusion import mean_iou
from trashseg.evaluation.intervals import Comparison, compare
from trashseg.io import read_json


@dataclass(frozen=True)
class Candidate:
    """A round's final masks: their out-of-fold confusions (N, C, C), image ids (N,) and groups (N,)."""

    round_id: str
    step: str
    confusions: NDArray[np.int64]
    ids: NDArray[np.int64]
    groups: list[str]

    @property
    def miou(self) -> float:
        """mIoU of all images together."""
        return mean_iou(self.confusions.sum(0))


def read_candidate(folder: Path, round_id: str, metric: str) -> Candidate:
    """A round's `evaluate` artefact of out-of-fold images; `metric` is miou or miou_256."""
    refined = bool(read_json(folder / "metrics.json")["refined"])
    path = folder / "per_image.npz"
    try:
        with np.load(path) as arrays:
            confusions, ids, groups = arrays[metric], arrays["ids"], arrays["groups"].tolist()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: expected the per-image counts that `evaluate` writes, found {error}") from None
    return Candidate(round_id, "crf" if refined else "ensemble", confusions, ids, groups)


def paired(earlier: Candidate, later: Candidate) -> Comparison:
    """The gain of one round over another on the same images."""
    if not np.array_equal(earlier.ids, later.ids):
        raise InputError(f"rounds {earlier.round_id} and {later.round_id} were scored on different images")
    return compare(earlier.confusions, later.confusions, np.random.default_rng(0), earlier.groups)


def words(comparison: Comparison) -> str:
    """A gain in words: its size, its interval, and whether it could be chance."""
    gain = comparison.gain
    doubt = "which may be chance" if gain.includes_zero() else "more than chance"
    return f"{gain.value:+.4f} (interval {gain.low:+.4f} to {gain.high:+.4f}, p = {comparison.p_value:.3f}, {doubt})"


def choose(candidates: Sequence[Candidate], min_gain: float) -> tuple[Candidate, str, list[dict[str, Any]]]:
    """(the candidate to ship, the reason, the steps of the decision) of rounds in their order.

    A later round replaces the best so far only where it scores more than
    `min_gain` above it; so of equals the earlier, simpler one is shipped.
    """
    best = candidates[0]
    reasons = [f"round {best.round_id} scores {best.miou:.4f} out of fold"]
    decisions: list[dict[str, Any]] = []
    for later in candidates[1:]:
        comparison = paired(best, later)
        better = comparison.gain.value > min_gain
        verb = "replaces" if better else "does not replace"
        reasons.append(f"round {later.round_id} {verb} {best.round_id}: {words(comparison)}")
        decisions.append(
            {
                "from": best.round_id,
                "to": later.round_id,
                "gain": comparison.gain.value,
                "interval": comparison.gain.as_list(),
                "p_value": comparison.p_value,
                "taken": better,
            }
        )
        best = later if better else best
    return best, "; ".join(reasons), decisions
