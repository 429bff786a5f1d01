"""From the counts of images to the files of an `evaluate` artefact: metrics, tables, per-image counts."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.evaluation.calibration import calibration_error, calibration_rows
from trashseg.evaluation.intervals import compare
from trashseg.evaluation.scores import Counts, stack, summary
from trashseg.evaluation.step_names import FINAL, MEMBER, pairs, position
from trashseg.evaluation.steps import ImageScores
from trashseg.evaluation.tables import write_calibration, write_confusion, write_per_class, write_steps
from trashseg.io import atomic, write_json


def stacked(images: Sequence[ImageScores]) -> dict[str, tuple[list[int], Counts]]:
    """Step -> (ids of the images it answers, their stacked counts); steps in the pipeline's order."""
    by_step: dict[str, list[tuple[int, Counts]]] = {}
    for image in images:
        for step, counts in image.steps.items():
            by_step.setdefault(step, []).append((image.image_id, counts))
    order = sorted(by_step, key=position)
    return {step: ([i for i, _ in by_step[step]], stack([c for _, c in by_step[step]])) for step in order}


def comparisons(
    steps: Mapping[str, tuple[list[int], Counts]],
    groups: Mapping[int, Hashable],
    seed: Sequence[int],
    samples: int,
    confidence: float,
) -> list[dict[str, object]]:
    """Paired gains between the steps that `pairs` names."""
    found: list[dict[str, object]] = []
    for a, b in pairs({step: ids for step, (ids, _) in steps.items()}):
        ids, counts = steps[a]
        keys = [groups[i] for i in ids]
        result = compare(counts.full, steps[b][1].full, np.random.default_rng(list(seed)), keys, samples, confidence)
        gain = result.gain
        found.append({"from": a, "to": b, "gain": gain.value, "interval": gain.as_list(), "p_value": result.p_value})
    return found


def metrics(
    round_id: str,
    images: Sequence[ImageScores],
    names: Sequence[str],
    groups: Mapping[int, Hashable],
    refined: bool,
    seed: int,
    samples: int,
    confidence: float,
) -> dict[str, object]:
    """The content of metrics.json; `groups` maps image ids to near-duplicate groups, `refined`: the CRF is on."""
    steps = stacked(images)
    entries = [
        summary(step, counts, names, [groups[i] for i in ids], [seed], samples, confidence)
        for step, (ids, counts) in steps.items()
    ]
    confusion = steps[FINAL][1].full.sum(0)
    truth, predicted = confusion.sum(1) > 0, confusion.sum(0) > 0
    return {
        "round": round_id,
        "known": True,
        "images": len(images),
        "refined": refined,
        "miou": {str(entry["step"]): entry["miou"] for entry in entries if not str(entry["step"]).startswith(MEMBER)},
        "absent": [name for name, there in zip(names, truth, strict=True) if not there],
        "absent_but_predicted": [n for n, t, p in zip(names, truth, predicted, strict=True) if p and not t],
        "calibration_error": calibration_error(sum_calibration(images)),
        "steps": entries,
        "comparisons": comparisons(steps, groups, [seed], samples, confidence),
    }


def sum_calibration(images: Sequence[ImageScores]) -> NDArray[np.float64]:
    """Calibration counts of all images together."""
    total: NDArray[np.float64] = np.sum([image.calibration for image in images], axis=0)
    return total


def write_per_image(path: Path, images: Sequence[ImageScores], groups: Mapping[int, Hashable]) -> None:
    """Final confusions of every image (N, C, C), full and on the grid, for paired tests between rounds."""
    ids = np.array([image.image_id for image in images], np.int64)
    finals = stack([image.steps[FINAL] for image in images])
    keys = np.array([str(groups[int(i)]) for i in ids])
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, ids=ids, groups=keys, miou=finals.full, miou_256=finals.grid)


def write_outcome(
    folder: Path,
    content: Mapping[str, object],
    images: Sequence[ImageScores],
    names: Sequence[str],
    groups: Mapping[int, Hashable],
) -> None:
    """Everything a scored part of a round leaves behind in `folder`."""
    steps = content["steps"]
    assert isinstance(steps, list)
    write_confusion(folder / "confusion.csv", np.sum([image.steps[FINAL].full for image in images], axis=0), names)
    write_per_class(folder / "per_class.csv", [step for step in steps if not step["step"].startswith(MEMBER)])
    write_steps(folder / "steps.csv", steps)
    write_calibration(folder / "calibration.csv", calibration_rows(sum_calibration(images)))
    write_per_image(folder / "per_image.npz", images, groups)
    write_json(folder / "metrics.json", content)
