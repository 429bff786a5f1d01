"""The whole data side on real photos and on TACO's real polygons, by the stages and by the verbs."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tasks import copy_paste, dataset, folds, masks, oversample
from trashseg.cli import app
from trashseg.data.coco import load_coco, read_coco
from trashseg.data.folds import read_folds
from trashseg.data.masks import paint
from trashseg.io import read_image, read_json, read_mask
from trashseg.lineage import read_lineage
from trashseg.paths import DATASET, FOLDS, MASKS, TEST_LABELS
from trashseg.paths import copy_paste as copy_paste_folder
from trashseg.paths import oversample as oversample_folder


def verb(*words: object) -> None:
    app([str(word) for word in words], result_action="return_value")


@pytest.fixture(scope="module")
def staged(trash_real: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the preset `real` has been through every data stage, with small synthetic sets."""
    folder = tmp_path_factory.mktemp("real")
    params = yaml.safe_load((repository / "presets" / "real.yaml").read_text())
    params["data"]["root"] = str(trash_real)
    params["oversample"]["count"], params["copy_paste"]["count"] = 6, 10
    params["copy_paste"]["quotas"] = {"Glass": 4}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for task, words in ((dataset, []), (masks, []), (folds, []), (oversample, ["0"]), (copy_paste, ["0"])):
            patch.setattr(sys, "argv", [task.__name__, *(["--fold", *words] if words else [])])
            task.main()
    return folder


def test_photos_are_grouped_by_the_given_key_and_what_else_looks_alike(staged: Path) -> None:
    rows = [row for name in ("train_all", "test") for row in load_coco(staged / DATASET / f"{name}.json").images]
    assert len(rows) == 413 + 101
    group_of: dict[Any, set[str]] = {}
    for row in rows:
        group_of.setdefault(row["dup_group"], set()).add(row["group"])
    assert all(len(groups) == 1 for groups in group_of.values())
    assert not read_json(staged / TEST_LABELS)["ignored_annotations"]


def test_masks_agree_with_the_report_and_the_labels(staged: Path) -> None:
    coco = load_coco(staged / DATASET / "train_all.json")
    report = {row["image_id"]: row["pixels"] for row in read_json(staged / MASKS / "report.json")["images"]}
    for row in coco.images[::20]:
        mask_HW = read_mask(staged / MASKS / f"{row['id']}.png")
        assert (mask_HW == paint(coco.annotations_of[row["id"]], [], row["height"], row["width"])).all()
        assert np.bincount(mask_HW.ravel(), minlength=11).tolist() == report[row["id"]]


def test_no_group_straddles_and_every_present_class_is_in_every_fold(staged: Path) -> None:
    split = read_folds(staged / FOLDS / "folds.json")
    held: dict[str, set[int]] = {}
    for row in load_coco(staged / DATASET / "train_all.json").images:
        held.setdefault(row["group"], set()).add(split.assignment[row["id"]])
    assert all(len(of_group) == 1 for of_group in held.values())
    greedy = read_json(staged / FOLDS / "balance.json")["methods"]["greedy"]
    assert greedy["worst"]["deviation"] < 0.01
    assert all(min(row) > 0.3 for row in greedy["pixel_share"].values() if row is not None)


@pytest.mark.parametrize(("folder", "count"), [(oversample_folder, 6), (copy_paste_folder, 10)])
def test_synthetic_photos_come_from_training_photos_with_exact_labels(staged: Path, folder: Any, count: int) -> None:
    made = staged / folder(0)
    coco, ignored = read_coco(made / "annotations.json"), read_json(made / "annotations.json")["ignored_annotations"]
    assert len(coco.images) == count
    for row in coco.images:
        mask_HW = read_mask(made / "masks" / f"{row['id']}.png")
        own_ignored = [other for other in ignored if other["image_id"] == row["id"]]
        painted_HW = paint(coco.annotations_of[row["id"]], own_ignored, row["height"], row["width"])
        assert (painted_HW == mask_HW).all()
        assert read_image(made / "images" / row["file_name"]).shape == (*mask_HW.shape, 3)
    lineage = read_lineage(made / "lineage.json")
    training = set(read_folds(staged / FOLDS / "folds.json").training_ids(0))
    assert {source for sources in lineage.sources.values() for source in sources} <= training


def test_taco_by_the_verbs(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = real_data / "taco" / "taco_11cls_512_noimages.json"
    value = read_json(labels)
    kept = {row["id"] for row in value["images"][::10]}
    value["images"] = value["images"][::10]
    value["annotations"] = [row for row in value["annotations"] if row["image_id"] in kept]
    part = tmp_path / "taco.json"
    part.write_text(json.dumps(value))
    verb("masks", part, "--out", tmp_path / "masks", "--name-by", "id", "--seam-repair")
    for form in ("rle", "polygon"):
        verb("to-coco", tmp_path / "masks", "--out", tmp_path / f"{form}.json", "--form", form)
        verb("masks", tmp_path / f"{form}.json", "--out", tmp_path / form)
        for path in sorted((tmp_path / "masks").glob("*.png")):
            assert (read_mask(tmp_path / form / path.name) == read_mask(path)).all(), path
    verb("folds", labels, "--out", tmp_path / "folds", "--group-by", "batch")
    batch_of = {row["id"]: row["batch"] for row in read_json(labels)["images"]}
    split = read_folds(tmp_path / "folds" / "folds.json").assignment
    assert len({(batch_of[image], fold) for image, fold in split.items()}) == len(set(batch_of.values()))
    with pytest.raises(SystemExit, match="1"):
        verb("doctor", real_data / "taco" / "annotations.json", "--json")
    printed = capsys.readouterr().out
    kinds = json.loads(printed[printed.index("{") :])["kinds"]
    assert kinds["missing-file"] == 1500
    assert kinds["duplicate-id"] == 2
