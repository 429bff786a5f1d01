import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks import predict
from trashseg import paths
from trashseg.classes import CONTEST, CONTEST_NAMES, named
from trashseg.errors import InputError
from trashseg.inference.config import PredictConfig
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import write_json

CONFIG = PredictConfig(batch_size=3, device="cpu", workers=2)
TRAIN_IDS, TEST_IDS = {0: [3, 8, 21, 55], 1: [5, 13, 34, 89]}, [4, 7]


@pytest.fixture
def trained(tiny_round: Path, write_tiny_model: object) -> Path:
    """The tiny round with models instead of predictions."""
    shutil.rmtree(paths.predict("r0", "unet"))
    for fold in (0, 1):
        write_tiny_model(paths.train("r0", "unet", fold), seed=fold)  # type: ignore[operator]
    return tiny_round


def test_each_fold_answers_its_own_validation_images_and_every_test_image(trained: Path) -> None:
    predict.run("r0", "unet", [0, 1], CONFIG)
    for fold in (0, 1):
        stores = {part: ProbabilityStore(paths.predict("r0", "unet") / str(fold) / part) for part in ("val", "test")}
        assert stores["val"].ids() == TRAIN_IDS[fold]
        assert stores["test"].ids() == TEST_IDS
        answer = ProbabilityStore(stores["test"].folder, CONTEST_NAMES).read(7)
        assert answer.shape == (11, 48, 48)
    first, second = (ProbabilityStore(paths.predict("r0", "unet") / str(fold) / "test").read(7) for fold in (0, 1))
    assert np.abs(first - second).max() > 0.01
    assert not predict.GATHERED.joinpath("r0", "unet").exists()


def test_photos_of_the_pool_are_answered_by_every_fold_where_the_round_is_asked(trained: Path) -> None:
    predict.run("r0", "unet", [0, 1], CONFIG)
    assert not (paths.predict("r0", "unet") / "0" / "pool").exists()
    rows = [{"id": 200, "file_name": "batch/0007.png"}]
    write_json(paths.POOL / "r0.json", {"images": rows, "annotations": [], "categories": []})
    predict.run("r0", "unet", [0, 1], CONFIG)
    for fold in (0, 1):
        parts = paths.predict("r0", "unet") / str(fold)
        np.testing.assert_array_equal(
            ProbabilityStore(parts / "pool").read(200), ProbabilityStore(parts / "test").read(7)
        )


@pytest.mark.parametrize(("keep", "held"), [(True, True), (False, False)])
def test_what_a_single_look_sees_is_kept_unless_refused(trained: Path, keep: bool, held: bool) -> None:
    predict.run("r0", "unet", [0, 1], CONFIG.model_copy(update={"keep_single": keep}))
    for part, image_id in (("val", 3), ("test", 7)):
        single = ProbabilityStore(paths.predict("r0", "unet") / "0" / part).read_both(image_id)[1]
        assert (single is not None) == held


def test_a_killed_run_keeps_what_it_had_unless_the_settings_changed(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(predict, "finish", killed)
        predict.run("r0", "unet", [0, 1], CONFIG)
    assert not paths.predict("r0", "unet").exists()
    kept = predict.GATHERED / "r0" / "unet" / "0" / "val" / "3.probs"
    state = kept.stat().st_mtime_ns
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(predict, "finish", killed)
        predict.run("r0", "unet", [0, 1], CONFIG)
        assert kept.stat().st_mtime_ns == state
    predict.run("r0", "unet", [0, 1], CONFIG.model_copy(update={"flips": ["none"]}))
    assert ProbabilityStore(paths.predict("r0", "unet") / "0" / "val").path(3).stat().st_mtime_ns != state


def test_a_missing_fold_is_named_and_nothing_is_written(trained: Path) -> None:
    shutil.rmtree(paths.train("r0", "unet", 1))
    with pytest.raises(InputError, match=r"train/r0/unet/1/model\.json: no such file"):
        predict.run("r0", "unet", [0, 1], CONFIG)
    assert not paths.predict("r0", "unet").exists()


def test_a_missing_list_of_photos_is_named(trained: Path) -> None:
    (paths.POOL / "r0.json").unlink()
    with pytest.raises(InputError, match=r"artifacts/pool/r0\.json: no such file"):
        predict.run("r0", "unet", [0, 1], CONFIG)


def test_a_model_of_other_classes_is_refused(trained: Path, write_tiny_model: object) -> None:
    other = named((*CONTEST.names[:-1], "Shoes"))
    write_tiny_model(paths.train("r0", "unet", 0), classes=other)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"trained for classes .*Shoes; the dataset has .*Clothing"):
        predict.run("r0", "unet", [0, 1], CONFIG)
