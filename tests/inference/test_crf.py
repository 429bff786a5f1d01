"""The CRF follows the photo's edges, leaves certain photos alone, and its shortcuts change no winner."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trashseg.errors import InputError
from trashseg.inference.crf import CrfParameters, argmax, contenders, refined_mask
from trashseg.inference.crf_config import RefineConfig
from trashseg.inference.crf_engines import NAMES, engine

PARAMETERS = CrfParameters(bilateral_sxy=20, bilateral_srgb=10, bilateral_compat=10, iterations=5)


def scene(side: int = 48, classes: int = 3) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """(probabilities_CHW, image_HWC, truth_HW): a red square, seen by the network 3 pixels too far right."""
    truth_HW = np.zeros((side, side), np.uint8)
    truth_HW[12:36, 12:36] = 1
    noise = np.random.default_rng(0).integers(-3, 4, (side, side, 3))
    image_HWC = np.where(truth_HW[..., None] == 1, (200, 30, 30), (40, 90, 60)) + noise
    seen_HW = np.roll(truth_HW, 3, axis=1)
    probabilities_CHW = np.full((classes, side, side), 0.05 / (classes - 2), np.float32)
    probabilities_CHW[0] = np.where(seen_HW == 1, 0.35, 0.6)
    probabilities_CHW[1] = np.where(seen_HW == 1, 0.6, 0.35)
    return probabilities_CHW, image_HWC.astype(np.uint8), truth_HW


@pytest.mark.parametrize("name", NAMES)
def test_edges_move_to_where_the_colours_change(name: str) -> None:
    probabilities_CHW, image_HWC, truth_HW = scene()
    before = np.count_nonzero(argmax(probabilities_CHW) != truth_HW)
    after = np.count_nonzero(refined_mask(probabilities_CHW, image_HWC, PARAMETERS, engine(name)) != truth_HW)
    assert before == 2 * 3 * 24
    assert after < before / 10


@pytest.mark.parametrize("name", NAMES)
def test_classes_that_cannot_win_change_nothing(name: str) -> None:
    probabilities_CHW, image_HWC, _ = scene(classes=11)
    assert contenders(probabilities_CHW).tolist() == [0, 1]
    everything = engine(name)(probabilities_CHW, image_HWC, PARAMETERS)
    np.testing.assert_array_equal(refined_mask(probabilities_CHW, image_HWC, PARAMETERS, engine(name)), everything)


def test_a_photo_of_one_class_is_not_solved() -> None:
    probabilities_CHW = np.zeros((3, 8, 8), np.float32)
    probabilities_CHW[2] = 1

    def solve(*_: object) -> NDArray[np.uint8]:
        raise AssertionError

    mask_HW = refined_mask(probabilities_CHW, np.zeros((8, 8, 3), np.uint8), PARAMETERS, solve)
    assert mask_HW.dtype == np.uint8
    assert (mask_HW == 2).all()


def test_a_photo_of_another_size_is_refused() -> None:
    probabilities_CHW, image_HWC, _ = scene()
    with pytest.raises(InputError, match="48x48 and 48x40"):
        refined_mask(probabilities_CHW, image_HWC[:, :40], PARAMETERS, engine("pydensecrf"))


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(InputError, match=r"'pydense' is unknown.*did you mean 'pydensecrf'"):
        engine("pydense")


def test_candidates_are_all_combinations() -> None:
    config = RefineConfig(bilateral_sxy=[20, 40], bilateral_srgb=[5], bilateral_compat=[4, 10], iterations=[3])
    assert config.candidates() == (
        CrfParameters(3, 3, 20, 5, 4, 3),
        CrfParameters(3, 3, 20, 5, 10, 3),
        CrfParameters(3, 3, 40, 5, 4, 3),
        CrfParameters(3, 3, 40, 5, 10, 3),
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pydensecrf"])
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_every_engine_gives_the_references_answer(name: str, classes: int) -> None:
    rng = np.random.default_rng(classes)
    image_HWC = np.kron(rng.integers(0, 256, (8, 10, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    image_HWC += rng.integers(0, 6, image_HWC.shape).astype(np.uint8)
    coarse_CHW = rng.dirichlet(np.ones(classes), (16, 20)).transpose(2, 0, 1)
    probabilities_CHW = np.kron(coarse_CHW, np.ones((1, 4, 4))).astype(np.float32)
    for parameters in (PARAMETERS, CrfParameters(iterations=10), CrfParameters(bilateral_compat=0, iterations=1)):
        expected_HW = engine("pydensecrf")(probabilities_CHW, image_HWC, parameters)
        found_HW = engine(name)(probabilities_CHW, image_HWC, parameters)
        assert found_HW.dtype == np.uint8
        assert np.mean(expected_HW != argmax(probabilities_CHW)) > 0.02
        assert np.mean(found_HW == expected_HW) >= 0.999


def test_the_fast_engine_is_taken_where_there_is_much_work() -> None:
    assert engine("auto", 1e6) is engine("pydensecrf")
    assert engine("auto", 1e9) is engine("lattice")


def test_a_reach_too_small_for_the_lattice_is_told() -> None:
    probabilities_CHW, image_HWC, _ = scene()
    with pytest.raises(InputError, match="raise bilateral_sxy or bilateral_srgb"):
        refined_mask(probabilities_CHW, image_HWC, CrfParameters(bilateral_srgb=0.1), engine("lattice"))
