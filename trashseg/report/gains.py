"""What steps and rounds gained, with intervals; what the CRF did to each class and to its edges."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from trashseg import paths
from trashseg.errors import InputError
from trashseg.evaluation.intervals import Comparison, compare
from trashseg.evaluation.selection import read_candidate
from trashseg.evaluation.step_names import ENSEMBLE, FINAL, MEMBER
from trashseg.io import read_json
from trashseg.report.scores import Score, Step, step_label

PARTS = ("oof", "test")


def _told(gain: float, interval: Sequence[float], p_value: float) -> dict[str, Any]:
    low, high = interval
    verdict = "better" if low > 0 else "worse" if high < 0 else "unsure"
    return {"gain": gain, "low": low, "high": high, "p": p_value, "verdict": verdict}


def step_gains(round_id: str) -> list[dict[str, Any]]:
    """One row per pair of steps of a round: `before`, `after`, and `oof` and `test` gains, None where not compared.

    Members are compared with each other in metrics.json alone: there are many.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for part in PARTS:
        path = paths.evaluate(round_id) / part / "metrics.json"
        try:
            for pair in read_json(path).get("comparisons", []):
                steps = str(pair["from"]), str(pair["to"])
                row = rows.setdefault(steps, dict.fromkeys(PARTS))
                row[part] = _told(pair["gain"], pair["interval"], pair["p_value"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: expected the metrics that `evaluate` writes, found {error!r}") from None
    return [
        {"before": step_label(a), "after": step_label(b), **row}
        for (a, b), row in rows.items()
        if not (a.startswith(MEMBER) and b.startswith(MEMBER) and row["oof"] is None)
    ]


def round_gains(rounds: Sequence[str]) -> list[dict[str, Any]]:
    """One row per pair of rounds that follow each other: the gain of what each would ship, on the same photos."""
    return [
        {
            "before": f"round {earlier}",
            "after": f"round {later}",
            **{part: _between(earlier, later, part) for part in PARTS},
        }
        for earlier, later in pairwise(rounds)
    ]


def _between(earlier: str, later: str, part: str) -> dict[str, Any] | None:
    folders = [paths.evaluate(round_id) / part for round_id in (earlier, later)]
    if not all((folder / "per_image.npz").is_file() for folder in folders):
        return None
    a, b = (read_candidate(folder, folder.parent.name, "miou") for folder in folders)
    if a.ids.tolist() != b.ids.tolist():
        return None
    found: Comparison = compare(a.confusions, b.confusions, np.random.default_rng(0), a.groups)
    return _told(found.gain.value, found.gain.as_list(), found.p_value)


def crf_rows(steps: Sequence[Step], round_id: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """IoU and boundary IoU without and with the CRF, out of fold: all classes together, then each class there is."""
    scores = {step.name: step.oof for step in steps if step.round_id == round_id}
    if not {ENSEMBLE, FINAL} <= scores.keys():
        return []
    before, after = scores[ENSEMBLE], scores[FINAL]
    rows = [_change("all classes", (before.miou, after.miou), (before.boundary, after.boundary))]
    for name in names:
        ious = before.per_class.get(name), after.per_class.get(name)
        edges = before.per_class_boundary.get(name), after.per_class_boundary.get(name)
        if ious != (None, None):
            rows.append(_change(name, ious, edges))
    return rows


def _change(
    name: str, ious: tuple[float | None, float | None], edges: tuple[float | None, float | None]
) -> dict[str, Any]:
    def gain(pair: tuple[float | None, float | None]) -> float | None:
        before, after = pair
        return None if before is None or after is None else after - before

    return {"name": name, "iou": (*ious, gain(ious)), "boundary": (*edges, gain(edges))}


def size_rows(score: Score) -> list[Mapping[str, Any]]:
    """Objects by size: how many there are, the share found, the mean share covered; sizes without one left out."""
    return [{"size": size, **row} for size, row in score.by_size.items() if row.get("objects")]
