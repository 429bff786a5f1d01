"""The choice of photos to show."""

import numpy as np

from trashseg.report import examples


def test_evenly_spreads_over_all() -> None:
    assert examples.evenly([1, 2, 3, 4, 5, 6, 7, 8], 4) == [1, 3, 5, 7]
    assert examples.evenly([1, 2], 4) == [1, 2]


def test_image_ious_leave_out_images_without_labels() -> None:
    truths = {1: np.array([[0, 1]], np.uint8), 2: np.array([[255, 255]], np.uint8)}
    scores = examples.image_ious([1, 2], truths.__getitem__, lambda _: np.array([[0, 0]], np.uint8), 3)
    assert scores == {1: 0.25}


def test_best_shows_other_classes_first_and_no_empty_photo() -> None:
    classes = {1: 1, 2: 1, 3: 2, 4: 0}
    scores = {1: 0.9, 2: 0.8, 3: 0.7, 4: 1.0}

    def truth(image: int) -> np.ndarray:
        return np.full((2, 2), classes[image], np.uint8)

    assert examples.best(scores, truth, 3) == [1, 3, 2]


def test_changed_shows_harm_too() -> None:
    before = dict.fromkeys(range(6), 0.5)
    after = {0: 0.6, 1: 0.7, 2: 0.55, 3: 0.51, 4: 0.3, 5: 0.5}
    assert examples.changed(before, after, 4) == [1, 0, 2, 4]
    assert examples.changed(before, {4: 0.3}, 4) == [4]


def test_disagreement_is_the_share_against_the_majority() -> None:
    masks = [np.array([[0, 1, 2]], np.uint8), np.array([[0, 1, 0]], np.uint8), np.array([[0, 2, 1]], np.uint8)]
    assert np.allclose(examples.disagreement(masks, 3), [[0, 1 / 3, 2 / 3]])
