import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks import ensemble
from trashseg import paths
from trashseg.classes import CONTEST_NAMES
from trashseg.errors import InputError
from trashseg.inference.config import EnsembleConfig
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_json

CONFIG = EnsembleConfig(workers=2, fit_pixels=20_000)


@pytest.fixture
def two_models(tiny_round: Path) -> Path:
    """The tiny round with a second network, `noise`, that knows nothing."""
    rng = np.random.default_rng(0)
    for fold in (0, 1):
        for part in ("val", "test"):
            source = ProbabilityStore(paths.predict("r0", "unet") / str(fold) / part)
            target = ProbabilityStore(paths.predict("r0", "noise") / str(fold) / part)
            for image_id in source.ids():
                noise = rng.random((11, 48, 48)).astype(np.float32)
                target.write(image_id, noise / noise.sum(0))
    return tiny_round


def test_a_labelled_image_is_answered_by_its_own_fold_and_a_test_image_by_all(tiny_round: Path) -> None:
    ensemble.run("r0", [0, 1], ["unet"], CONFIG)
    out, members = paths.ensemble("r0"), paths.predict("r0", "unet")
    oof, test = ProbabilityStore(out / "oof", CONTEST_NAMES), ProbabilityStore(out / "test", CONTEST_NAMES)
    assert oof.ids() == [3, 5, 8, 13, 21, 34, 55, 89] and test.ids() == [4, 7]
    np.testing.assert_allclose(oof.read(5), ProbabilityStore(members / "1" / "val").read(5), atol=0.009)
    both = [ProbabilityStore(members / str(fold) / "test").read(7) for fold in (0, 1)]
    np.testing.assert_allclose(test.read(7), (both[0] + both[1]) / 2, atol=0.009)
    weights = read_json(out / "weights.json")
    assert weights["weights"] == {"unet": 1.0} and weights["by_fold"]["1"] == {"unet": 1.0}
    assert 0 < weights["miou"]["cross_fitted"] == pytest.approx(weights["miou"]["members"]["unet"])


@pytest.mark.parametrize("kind", ["member", "class"])
def test_noise_is_weighed_down_in_every_fold(two_models: Path, kind: str) -> None:
    ensemble.run("r0", [0, 1], ["unet", "noise"], CONFIG.model_copy(update={"weights": kind}))
    weights = read_json(paths.ensemble("r0") / "weights.json")
    for found in (weights["weights"], *weights["by_fold"].values()):
        assert np.all(np.array(found["noise"]) <= np.array(found["unet"]))
    assert weights["miou"]["cross_fitted"] >= weights["miou"]["members"]["noise"]


def test_a_vote_among_all_members(two_models: Path) -> None:
    config = CONFIG.model_copy(update={"method": "vote", "weights": "equal", "priority": ["Glass"]})
    ensemble.run("r0", [0, 1], ["unet", "noise"], config)
    answer = ProbabilityStore(paths.ensemble("r0") / "test").read(4)
    assert len(np.unique(answer.round(2))) < 12


def test_the_teachers_networks_may_be_members(tiny_round: Path) -> None:
    shutil.copytree(paths.predict("r0", "unet"), paths.predict("r1", "unet"))
    for part in ("0/val", "1/val", "0/test", "1/test"):
        store = ProbabilityStore(paths.predict("r1", "unet") / part)
        for image_id in store.ids():
            store.write(image_id, np.roll(store.read(image_id), 5, axis=2))
    joined = CONFIG.model_copy(update={"with_teacher": True, "weights": "equal"})
    ensemble.run("r1", [0, 1], ["unet"], joined, "r0")
    assert read_json(paths.ensemble("r1") / "weights.json")["weights"] == {"unet": 0.5, "r0/unet": 0.5}
    own, teacher = (ProbabilityStore(paths.predict(r, "unet") / "1" / "val").read(5) for r in ("r1", "r0"))
    answer = ProbabilityStore(paths.ensemble("r1") / "oof").read(5)
    np.testing.assert_allclose(answer, (own + teacher) / 2, atol=0.01)
    ensemble.run("r0", [0, 1], ["unet"], joined, "none")
    assert read_json(paths.ensemble("r0") / "weights.json")["weights"] == {"unet": 1.0}


def test_probabilities_of_another_class_list_are_refused(tiny_round: Path) -> None:
    store = ProbabilityStore(paths.predict("r0", "unet") / "1" / "test", ["a", "b"])
    store.write(7, np.full((2, 48, 48), 0.5, np.float32))
    with pytest.raises(InputError, match=r"unet/1/test/7\.probs: made for classes 2 \(a, b\), expected 11"):
        ensemble.run("r0", [0, 1], ["unet"], CONFIG)
    assert not (paths.ensemble("r0") / "weights.json").exists() or (paths.ensemble("r0") / "oof").exists()


def test_a_fold_without_members_is_named(tiny_round: Path) -> None:
    with pytest.raises(InputError, match=r"folds are \[0\], but image 5 is held out in fold 1"):
        ensemble.run("r0", [0], ["unet"], CONFIG)


def test_no_torch_is_imported() -> None:
    code = "import sys, tasks.ensemble, tasks.pseudo_label; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
