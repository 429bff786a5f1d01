import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks import pseudo_label
from trashseg import paths
from trashseg.classes import CONTEST
from trashseg.inference.config import PseudoLabelConfig
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_json, read_mask, write_json, write_mask
from trashseg.lineage import read_lineage

# the tiny round's networks answer with 0.42 where they are right
CONFIG = PseudoLabelConfig(
    precision=0.6, min_confidence=0.2, min_images=1, min_teacher_miou=0.1, min_area_px=4, min_sure=0.3, workers=2
)


@pytest.fixture(autouse=True)
def first_round(tiny_round: Path) -> None:
    """Round r0 has a manifest, as every round has."""
    for fold in (0, 1):
        pseudo_label.run("none", "r0", fold, ["unet"], CONFIG)


def manifest(fold: int = 0) -> dict[str, object]:
    return read_json(paths.pseudo_label("r1", fold) / "manifest.json")


def test_the_first_round_has_none(tiny_round: Path) -> None:
    pseudo_label.run("none", "r0", 0, ["unet"], CONFIG)
    folder = paths.pseudo_label("r0", 0)
    found = read_json(folder / "manifest.json")
    assert found["accepted"] and found["images"] == [] and found["teacher"] == "none"
    assert read_lineage(folder / "lineage.json").sources == {}
    assert list((folder / "masks").iterdir()) == []


def test_sure_test_images_become_labels(tiny_round: Path) -> None:
    pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG)
    found, folder = manifest(), paths.pseudo_label("r1", 0)
    assert found["accepted"] is True and found["images"] == [4, 7]
    assert found["weight"] == pytest.approx(0.5)
    assert sorted(path.name for path in (folder / "masks").iterdir()) == ["4.png", "7.png"]
    answer = ProbabilityStore(paths.predict("r0", "unet") / "0" / "test").read(7)
    mask = read_mask(folder / "masks" / "7.png")
    sure = mask != 255
    assert 0.3 < sure.mean() <= 1
    np.testing.assert_array_equal(mask[sure], answer.argmax(0)[sure])
    lineage = read_lineage(folder / "lineage.json")
    assert lineage.fold == 0 and set(lineage.sources) == {4, 7}


def test_a_poor_teacher_is_declined_with_the_reason(tiny_round: Path) -> None:
    pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG.model_copy(update={"min_teacher_miou": 0.99}))
    found = manifest()
    assert found["accepted"] is False and found["images"] == []
    assert "out-of-fold mIoU is 0." in str(found["reason"]) and "below 0.99" in str(found["reason"])
    assert list((paths.pseudo_label("r1", 0) / "masks").iterdir()) == []


def test_too_few_sure_images_are_declined(tiny_round: Path) -> None:
    pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG.model_copy(update={"min_images": 5}))
    assert manifest()["reason"] == "2 images are sure enough, fewer than 5"


def test_a_teacher_that_did_not_gain_is_declined(tiny_round: Path) -> None:
    pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG)
    shutil.copytree(paths.predict("r0", "unet"), paths.predict("r1", "unet"))
    pseudo_label.run("r1", "r2", 0, ["unet"], CONFIG)
    declined = read_json(paths.pseudo_label("r2", 0) / "manifest.json")
    assert not declined["accepted"]
    assert declined["reason"] == "the teacher gained +0.0000 mIoU over its own, not more than 0"
    pseudo_label.run("r1", "r2", 0, ["unet"], CONFIG.model_copy(update={"min_teacher_gain": None}))
    assert read_json(paths.pseudo_label("r2", 0) / "manifest.json")["accepted"]


def test_photos_of_the_pool_are_learned_from_too(tiny_round: Path) -> None:
    rows = [{"id": 200, "file_name": "unlabelled/a.png"}]
    write_json(paths.DATASET / "unlabelled.json", {"images": rows, "annotations": [], "categories": []})
    answer = ProbabilityStore(paths.predict("r0", "unet") / "0" / "test").read(7)
    ProbabilityStore(paths.predict("r0", "unet") / "0" / "pool").write(200, answer)
    pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG)
    assert manifest()["images"] == [4, 7, 200]
    masks = paths.pseudo_label("r1", 0) / "masks"
    np.testing.assert_array_equal(read_mask(masks / "200.png"), read_mask(masks / "7.png"))
    pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG.model_copy(update={"sources": ["pool"]}))
    assert manifest()["images"] == [200]


def test_nothing_of_the_validation_fold_matters(tiny_round: Path) -> None:
    """Other labels and other answers for fold 0's validation images leave its pseudo labels as they were."""

    def outcome() -> list[bytes]:
        pseudo_label.run("r0", "r1", 0, ["unet"], CONFIG)
        files = sorted(path for path in paths.pseudo_label("r1", 0).rglob("*") if path.is_file())
        return [path.read_bytes() for path in files]

    before = outcome()
    for image_id in (3, 8, 21, 55):
        write_mask(paths.MASKS / f"{image_id}.png", np.full((48, 48), 4, np.uint8), CONTEST.palette())
        answer = np.zeros((11, 48, 48), np.float32)
        answer[9] = 1
        ProbabilityStore(paths.predict("r0", "unet") / "0" / "val").write(image_id, answer)
    for image_id in (4, 7):  # nor do the other folds' members
        ProbabilityStore(paths.predict("r0", "unet") / "1" / "test").write(image_id, answer)
    assert outcome() == before
