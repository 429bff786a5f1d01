import numpy as np

from trashseg.inference.pseudo_label import (
    Candidate,
    Threshold,
    choose,
    describe,
    fit_threshold,
    fit_thresholds,
    label,
    limited_weight,
    without_specks,
)


def test_the_threshold_is_the_lowest_that_is_precise_enough() -> None:
    confidence = np.linspace(0.5, 1, 10_000).astype(np.float32)
    right = confidence >= 0.8
    threshold = fit_threshold(confidence, right, 0.9, 0.5, 0.99)
    assert threshold.confidence is not None and 0.76 <= threshold.confidence <= 0.8
    assert threshold.precision is not None and threshold.precision >= 0.9


def test_a_class_that_is_never_sure_has_no_threshold() -> None:
    confidence = np.linspace(0.5, 1, 10_000).astype(np.float32)
    assert fit_threshold(confidence, np.zeros(10_000, bool), 0.9, 0.5, 0.99).confidence is None
    assert fit_threshold(confidence[:50], np.ones(50, bool), 0.9, 0.5, 0.99).confidence is None


def test_thresholds_are_per_class() -> None:
    probabilities = np.tile(np.array([[0.8, 0.2], [0.3, 0.7]], np.float32), (200, 1))
    truth = np.zeros(400, np.uint8)
    first, second = fit_thresholds(probabilities, truth, 0.9, 0.5, 0.95)
    assert first.confidence == 0.5 and second.confidence is None


def test_unsure_pixels_and_specks_are_void() -> None:
    probabilities = np.zeros((2, 8, 8), np.float32)
    probabilities[0] = 0.9
    probabilities[:, 1:4, 1:4] = np.array([0.2, 0.8])[:, None, None]
    probabilities[:, 6, 6] = 0.1, 0.9
    probabilities[:, 0, 7] = 0.55, 0.45
    sure = [Threshold(0.7, 0.9, 1), Threshold(0.7, 0.9, 1)]
    mask = label(probabilities, sure, min_area_px=4)
    assert mask[2, 2] == 1 and mask[6, 6] == 255 and mask[0, 7] == 255 and mask[7, 0] == 0
    never = label(probabilities, [sure[0], Threshold(None, None, 0)], 0)
    assert (never[1:4, 1:4] == 255).all()


def test_specks_of_every_class_go() -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[:, 3] = 1
    mask[:, 4:] = 2
    assert (without_specks(mask, 7)[:, 3] == 255).all()
    np.testing.assert_array_equal(without_specks(mask, 6), mask)


def test_an_image_is_described_by_its_sure_pixels() -> None:
    mask = np.array([[0, 1], [255, 255]], np.uint8)
    assert describe(5, mask) == Candidate(5, 0.5, 1, (1,))


def test_the_surest_images_are_used() -> None:
    candidates = [Candidate(i, sure, 9, (1,)) for i, sure in enumerate((0.4, 0.9, 0.8, 0.95))]
    assert choose(candidates, 0.5, 1, None, 0) == [1, 2, 3]
    assert choose(candidates, 0.5, 1, 2, 0) == [1, 3]
    assert choose(candidates, 0.5, 10, None, 0) == []


def test_a_frequent_class_is_held_back() -> None:
    candidates = [Candidate(i, 0.9, 9, (1,)) for i in range(10)] + [Candidate(20 + i, 0.8, 9, (2,)) for i in range(2)]
    chosen = choose(candidates, 0.5, 1, None, 0.5)
    assert chosen == [0, 1, 2, 20, 21]


def test_the_weight_is_limited_against_real_labels() -> None:
    assert limited_weight(0.5, 100, 400, 0.5) == 0.5
    assert limited_weight(1.0, 800, 400, 0.5) == 0.25
    assert limited_weight(1.0, 0, 400, 0.5) == 1.0
