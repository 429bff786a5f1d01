from pathlib import Path

import numpy as np
import pytest

from trashseg.classes import Classes, named
from trashseg.errors import InputError
from trashseg.inference.ensemble import class_pixels, priority_order, vote
from trashseg.inference.probabilities import ProbabilityStore

CLASSES: Classes = named(("Background", "Paper", "Metal"))


def one_hot(rows: list[list[int]], confidence: float = 0.9) -> np.ndarray:
    best = np.array(rows)
    result = np.full((3, *best.shape), (1 - confidence) / 2, np.float32)
    np.put_along_axis(result, best[None], confidence, 0)
    return result


def members(folder: Path, *answers: np.ndarray) -> list[ProbabilityStore]:
    stores = [ProbabilityStore(folder / str(index)) for index in range(len(answers))]
    for store, answer in zip(stores, answers, strict=True):
        store.write(0, answer)
    return stores


def test_most_members_win_however_sure_the_others_are(tmp_path: Path) -> None:
    stores = members(tmp_path, one_hot([[1]], 0.4), one_hot([[1]], 0.4), one_hot([[2]], 1.0))
    answer = vote(stores, 0, np.ones(3), [2, 1, 0])
    np.testing.assert_allclose(answer.sum(0), 1, atol=1e-6)
    assert answer.argmax(0).tolist() == [[1]]


@pytest.mark.parametrize(("priority", "winner"), [([0, 1, 2], 1), ([2, 1, 0], 2)])
def test_a_tie_goes_to_the_class_of_priority_and_survives_the_store(
    tmp_path: Path, priority: list[int], winner: int
) -> None:
    stores = members(tmp_path, one_hot([[1, 0]]), one_hot([[2, 0]]))
    answer = vote(stores, 0, np.ones(2), priority)
    kept = ProbabilityStore(tmp_path / "kept")
    kept.write(0, answer)
    assert kept.read(0).argmax(0).tolist() == [[winner, 0]]


def test_a_weightier_member_outvotes(tmp_path: Path) -> None:
    stores = members(tmp_path, one_hot([[1]]), one_hot([[2]]), one_hot([[2]]))
    assert vote(stores, 0, np.array([3.0, 1, 1]), [0, 1, 2]).argmax(0).tolist() == [[1]]


def test_ties_prefer_named_then_rare_classes() -> None:
    pixels = class_pixels([np.array([[0, 0, 0, 1, 1, 2, 255]], np.uint8)], 3)
    assert pixels.tolist() == [3, 2, 1]
    assert priority_order(CLASSES, pixels, []) == [2, 1, 0]
    assert priority_order(CLASSES, pixels, ["Paper"]) == [1, 2, 0]
    with pytest.raises(InputError, match="class 'Wood' is unknown"):
        priority_order(CLASSES, pixels, ["Wood"])
