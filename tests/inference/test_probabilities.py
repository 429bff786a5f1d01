import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trashseg.classes import CONTEST_NAMES
from trashseg.errors import InputError
from trashseg.inference.probabilities import ProbabilityStore, mean_probabilities, quantise


def random_probabilities(seed: int = 0, classes: int = 11, size: tuple[int, int] = (20, 31)) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(0, 4, (classes, *size))
    exps = np.exp(logits)
    return (exps / exps.sum(0)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> ProbabilityStore:
    return ProbabilityStore(tmp_path / "val", CONTEST_NAMES)


def test_reads_what_it_wrote_within_the_stated_error(store: ProbabilityStore) -> None:
    probabilities = random_probabilities()
    store.write(7, probabilities)
    read = store.read(7)
    assert read.dtype == np.float32 and read.shape == probabilities.shape
    np.testing.assert_allclose(read.sum(0), 1, atol=1e-6)
    assert np.abs(read - probabilities).max() < 0.013


@pytest.mark.parametrize("classes", [1, 2, 60, 255])
def test_every_pixel_stays_a_distribution_whatever_the_number_of_classes(tmp_path: Path, classes: int) -> None:
    store = ProbabilityStore(tmp_path)
    store.write(0, np.full((classes, 4, 5), 1 / classes, np.float32))
    np.testing.assert_allclose(store.read(0).sum(0), 1, atol=1e-5)


def test_one_array_always_makes_the_same_file(store: ProbabilityStore) -> None:
    store.write(1, random_probabilities())
    store.write(2, random_probabilities())
    assert store.path(1).read_bytes() == store.path(2).read_bytes()


def test_classes_that_are_nowhere_cost_nothing(store: ProbabilityStore) -> None:
    probabilities = np.zeros((11, 16, 16), np.float32)
    probabilities[0], probabilities[4] = 0.25, 0.75
    store.write(1, probabilities)
    assert store.read_levels(1)[1].kept == [0, 4]
    np.testing.assert_allclose(store.read(1), probabilities, atol=0.003)


def test_a_single_look_lies_beside_the_mean(store: ProbabilityStore) -> None:
    probabilities = random_probabilities()
    single = np.random.default_rng(1).integers(0, 11, (20, 31)).astype(np.uint8)
    store.write(1, probabilities)
    levels, kept = quantise(probabilities)
    store.write_levels(2, levels, kept, 11, single)
    np.testing.assert_array_equal(store.read(2), store.read(1))
    np.testing.assert_array_equal(store.read_levels(2)[0], levels)
    mean, found = store.read_both(2)
    np.testing.assert_array_equal(mean, store.read(1))
    np.testing.assert_array_equal(found, single)
    assert store.read_both(1)[1] is None


def test_ids_are_ascending_and_stray_files_are_not_ids(store: ProbabilityStore) -> None:
    for image_id in (12, 3, 100):
        store.write(image_id, random_probabilities(size=(4, 4)))
    (store.folder / "notes.probs").touch()
    (store.folder / ".5.probs.123.tmp").touch()
    assert store.ids() == [3, 12, 100]


def test_a_missing_file_is_named(store: ProbabilityStore) -> None:
    with pytest.raises(InputError, match=r"val/5\.probs: no probabilities of image 5"):
        store.read(5)


@pytest.mark.parametrize("keep", [0, 3, 11, 40, -1])
def test_a_truncated_file_is_named(store: ProbabilityStore, keep: int) -> None:
    store.write(5, random_probabilities())
    store.path(5).write_bytes(store.path(5).read_bytes()[:keep])
    assert not store.holds(5)
    with pytest.raises(InputError, match=r"5\.probs: (expected a probability file|the checksum)"):
        store.read(5)


def test_a_damaged_byte_is_noticed(store: ProbabilityStore) -> None:
    store.write(5, random_probabilities())
    content = bytearray(store.path(5).read_bytes())
    content[len(content) // 2] ^= 1
    store.path(5).write_bytes(content)
    with pytest.raises(InputError, match="truncated or damaged"):
        store.read(5)


def test_another_class_list_is_refused(store: ProbabilityStore) -> None:
    store.write(5, random_probabilities())
    other = ProbabilityStore(store.folder, [*CONTEST_NAMES[:-1], "Shoes"])
    with pytest.raises(InputError, match=r"made for classes 11 \(.*Clothing\), expected 11 \(.*Shoes\)"):
        other.read(5)
    with pytest.raises(InputError, match="expected 2"):
        ProbabilityStore(store.folder, ["a", "b"]).read(5)


def test_nan_and_logits_are_refused(store: ProbabilityStore) -> None:
    probabilities = random_probabilities()
    probabilities[3, 2, 1] = np.nan
    for wrong in (probabilities, 5 * random_probabilities(), random_probabilities()[:5]):
        with pytest.raises(ValueError, match="expected"):
            store.write(5, wrong)
    assert not store.path(5).exists()


def test_mean_weighs_members_and_classes(tmp_path: Path) -> None:
    members = [ProbabilityStore(tmp_path / str(i)) for i in range(2)]
    values = [random_probabilities(i) for i in range(2)]
    for store, value in zip(members, values, strict=True):
        store.write(0, value)
    read = [store.read(0) for store in members]
    np.testing.assert_allclose(mean_probabilities(members, 0), (read[0] + read[1]) / 2, atol=1e-6)
    np.testing.assert_allclose(mean_probabilities(members, 0, np.array([0.0, 2.0])), read[1], atol=1e-6)
    per_class = np.ones((2, 11))
    per_class[0, 3] = 0
    expected = read[0] * per_class[0][:, None, None] + read[1]
    np.testing.assert_allclose(mean_probabilities(members, 0, per_class), expected / expected.sum(0), atol=1e-6)
    with pytest.raises(InputError, match="no member"):
        mean_probabilities(members, 0, np.zeros(2))


def test_members_of_other_sizes_are_refused(tmp_path: Path) -> None:
    members = [ProbabilityStore(tmp_path / str(i)) for i in range(2)]
    for store, size in zip(members, ((8, 8), (8, 9)), strict=True):
        store.write(0, random_probabilities(size=size))
    with pytest.raises(InputError, match=r"1/0\.probs: probabilities of shape \(11, 8, 9\)"):
        mean_probabilities(members, 0)


def test_it_imports_no_torch() -> None:
    code = "import sys, trashseg.inference.probabilities; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
