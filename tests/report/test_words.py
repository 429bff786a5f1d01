"""Sentences."""

import numpy as np

from trashseg.report import words
from trashseg.report.scores import Score, Step


def _step(name: str, miou: float) -> Step:
    return Step("r0", name, Score(miou, None, None, None, {}), None)


def test_headline_names_the_interval_where_there_is_one() -> None:
    assert "overlap by 62 % on average" in words.headline(Score(0.62, None, None, None, {}))
    assert "between 55 % and 68 %" in words.headline(Score(0.62, None, 0.55, 0.68, {}))


def test_mix_ups_are_sorted_and_ignore_absent_classes() -> None:
    confusion = np.array([[90, 10, 0], [30, 70, 0], [0, 0, 0]])
    assert words.mix_ups(confusion, ("Background", "Paper", "Metal")) == [
        "30 % of Paper was overlooked (painted as Background).",
        "10 % of Background was painted as Paper though nothing lies there.",
    ]


def test_gain_compares_with_the_best_single_network() -> None:
    steps = [_step("member unet/0", 0.7), _step("unet folds", 0.5), _step("crf", 0.53)]
    assert "3.0 points above the best single network (r0, unet, all folds)" in words.gain(steps, steps[2])
    assert words.gain(steps, steps[1]) == ""


def test_absent_classes() -> None:
    assert words.absent_classes({"a": 0.5}, {}) == ""
    text = words.absent_classes({"a": 0.5, "b": 0, "c": 0}, {"b": None, "c": 0.0})
    assert text.startswith("No labelled photo shows b and c:")
    assert "Only c was painted" in text


def test_labels_of_steps() -> None:
    assert _step("member unet/2", 0).label == "unet, fold 2 alone"
    assert _step("unet folds", 0).kind == "folds"
    assert _step("crf", 0).label == "ensemble + CRF (sharper edges)"
