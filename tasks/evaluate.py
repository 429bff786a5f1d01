"""Stage evaluate: what each step of a round is worth, out of fold and, where its labels are known, on the test set.

Every member, each network's folds, the ensemble and the CRF are scored on the
same images under the same label rule. This stage alone reads test labels;
what it learns from them goes to `test/`, and nothing that chooses reads that.
"""

import argparse
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import read_section, read_value
from trashseg.data.config import MasksConfig
from trashseg.data.folds import read_folds
from trashseg.errors import InputError, run_command
from trashseg.evaluation.config import EvaluateConfig
from trashseg.evaluation.outcome import metrics, write_outcome
from trashseg.evaluation.steps import Answers, Member, score_images
from trashseg.evaluation.truth import Truths, painted
from trashseg.io import read_json, read_mask, write_json


def member_folder(round_id: str, part: str, member: Member) -> Path:
    """The store of one member's predictions of `part` (val, test)."""
    model, fold = member
    return paths.predict(round_id, model) / str(fold) / part


def evaluate_part(
    part: str,
    truths: Truths,
    answers: Answers,
    rows: Sequence[Mapping[str, Any]],
    round_id: str,
    seed: int,
    config: EvaluateConfig,
) -> Callable[[], None]:
    """Score one part (oof, test); what it gives writes the folder. `rows` are the COCO image rows that name groups."""
    groups = {int(row["id"]): str(row.get("group") or row["id"]) for row in rows}
    refined = bool(read_json(paths.refine(round_id) / "refine.json")["on"])
    images = score_images(answers, truths, f"evaluate {round_id} {part}", config.workers)
    content = metrics(
        round_id, images, answers.names, groups, refined, seed, config.bootstrap_samples, config.confidence
    )
    print(f"evaluate {round_id} {part}: {content['miou']}")
    return partial(write_outcome, paths.evaluate(round_id) / part, content, images, answers.names, groups)


def run(
    round_id: str,
    folds: list[int],
    models: list[str],
    seed: int,
    config: EvaluateConfig,
    crowd: Literal["paint", "ignore"] = "paint",
) -> None:
    """Write `artifacts/evaluate/{round}/oof` and `/test`, once both are scored."""
    names = read_classes(paths.DATASET / "classes.json").names
    assignment = read_folds(paths.FOLDS / "folds.json").assignment
    if not assignment:
        raise InputError(f"{paths.FOLDS / 'folds.json'}: no images, expected labelled images in folds")
    source, refined = paths.ensemble(round_id), paths.refine(round_id)
    answers = Answers(
        partial(member_folder, round_id, "val"),
        {image_id: [(model, fold) for model in models] for image_id, fold in assignment.items()},
        source / "oof",
        refined / "oof",
        names,
    )
    truths = {image_id: partial(read_mask, paths.MASKS / paths.mask_name(image_id)) for image_id in assignment}
    rows = read_json(paths.DATASET / "train_all.json")["images"]
    write_oof = evaluate_part("oof", truths, answers, rows, round_id, seed, config)

    labels = read_json(paths.TEST_LABELS)
    if labels is None:
        shutil.rmtree(paths.evaluate(round_id), ignore_errors=True)
        write_oof()
        write_json(paths.evaluate(round_id) / "test" / "metrics.json", {"round": round_id, "known": False})
        return
    test_rows = read_json(paths.DATASET / "test.json")["images"]
    everyone = [(model, fold) for model in models for fold in folds]
    answers = Answers(
        partial(member_folder, round_id, "test"),
        {int(row["id"]): everyone for row in test_rows},
        source / "test",
        refined / "test",
        names,
    )
    write_test = evaluate_part(
        "test", painted(labels, paths.TEST_LABELS, crowd), answers, test_rows, round_id, seed, config
    )
    shutil.rmtree(paths.evaluate(round_id), ignore_errors=True)
    write_oof()
    write_test()


def main() -> None:
    """Command line: python -m tasks.evaluate --round r0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", required=True, help="id of the round, e.g. r0")
    arguments = parser.parse_args()
    config = read_section("evaluate", EvaluateConfig)
    crowd = read_section("masks", MasksConfig).crowd
    run(arguments.round, read_value("folds", list), read_value("models", list), read_value("seed", int), config, crowd)


if __name__ == "__main__":
    run_command(main)
