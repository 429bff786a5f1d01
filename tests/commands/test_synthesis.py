"""`trashseg folds`, `oversample` and `copy-paste` on a user's own file: category ids of its own, ids with gaps."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trashseg.commands.copy_paste import copy_paste
from trashseg.commands.doctor import doctor
from trashseg.commands.folds import folds
from trashseg.commands.masks import masks
from trashseg.commands.oversample import oversample
from trashseg.commands.to_coco import to_coco
from trashseg.data.folds import read_folds
from trashseg.errors import InputError
from trashseg.io import read_json, read_mask, write_image, write_json
from trashseg.lineage import read_lineage

SIDE = 48


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of two categories with ids 7 and 30, and an ignored one with id 0."""
    folder = tmp_path_factory.mktemp("own")
    images, annotations = [], []
    for at in range(10):
        image = 100 + 3 * at
        write_image(folder / "photos" / f"{image}.png", np.full((SIDE, SIDE, 3), 10 * at, np.uint8))
        images.append({"id": image, "file_name": f"{image}.png", "width": SIDE, "height": SIDE, "video": f"v{at // 2}"})
        annotations.append(square(image, 7 if at % 2 else 30, 4 + at, 20))
        if at == 3:
            annotations.append(square(image, 0, 40, 6))
    names = {0: "UNKNOWN", 7: "Car", 30: "Tree"}
    coco = {
        "images": images,
        "annotations": [{"id": 5 + at, **row} for at, row in enumerate(annotations)],
        "categories": [{"id": number, "name": name} for number, name in names.items()],
    }
    write_json(folder / "train.json", coco)
    return folder


def square(image: int, category: int, start: int, side: int) -> dict[str, object]:
    end = start + side
    region = [[start, start, end, start, end, end, start, end]]
    box = [start, start, side, side]
    row = {"image_id": image, "category_id": category, "segmentation": region, "bbox": box}
    return {**row, "area": side * side, "iscrowd": 0}


def test_folds_keep_the_users_ids_and_groups(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folds(own / "train.json", out=tmp_path, k=2, group_by="video", jobs=1)
    split = read_folds(tmp_path / "folds.json")
    assert all(split.assignment[image] == split.assignment[image + 3] for image in range(100, 130, 6))
    val = read_json(tmp_path / "kfold_0_val.json")
    assert {row["category_id"] for row in val["annotations"]} <= {0, 7, 30}
    assert len(val["categories"]) == 3
    assert "Tree" in capsys.readouterr().out


def test_near_duplicate_photos_are_kept_together(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (10, 6, 6, 3), np.uint8)
    for at in range(10):  # the first and the last show the same
        photo_HWC = np.repeat(np.repeat(noise[at % 9], 8, 0), 8, 1)
        write_image(tmp_path / "photos" / f"{100 + 3 * at}.png", photo_HWC)
    folds(own / "train.json", out=tmp_path / "out", k=5, images=tmp_path / "photos", jobs=1)
    split = read_folds(tmp_path / "out" / "folds.json").assignment
    assert split[100] == split[127]
    assert "images 100 and 127 (0 bits differ)" in capsys.readouterr().out
    folds(own / "train.json", out=tmp_path / "out", k=2, images=tmp_path / "photos", group_by="video", jobs=1)
    split = read_folds(tmp_path / "out" / "folds.json").assignment
    assert split[100] == split[103] == split[124] == split[127], "two videos, joined by their twins"


def test_folds_given_are_checked_and_used(own: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "mine.json", {f"{100 + 3 * at}.png": at % 2 for at in range(10)})
    folds(own / "train.json", out=tmp_path, k=2, given=tmp_path / "mine.json", jobs=1)
    assert read_folds(tmp_path / "folds.json").assignment[103] == 1
    with pytest.raises(InputError, match="are of one group"):
        folds(own / "train.json", out=tmp_path, k=2, given=tmp_path / "mine.json", group_by="video", jobs=1)


def test_copy_paste_writes_a_set(own: Path, tmp_path: Path) -> None:
    copy_paste(
        own / "train.json",
        images=own / "photos",
        out=tmp_path / "set",
        count=5,
        patch_classes=("Car", "Tree"),
        quota={"Car": 2},
        large_px=2000,
        small_px=10,
        min_visible_px=4,
        format="png",
        fold=3,
        jobs=1,
    )
    coco = read_json(tmp_path / "set" / "annotations.json")
    assert [row["id"] for row in coco["images"]] == [2_000_000 + i for i in range(5)]
    assert read_lineage(tmp_path / "set" / "lineage.json").fold == 3
    assert {row["name"]: row["id"] for row in coco["categories"]} == {"Car": 1, "Tree": 2}
    assert read_mask(tmp_path / "set" / "masks" / "2000000.png").max() in (1, 2)


def test_ignored_categories_stay_ignored(own: Path, tmp_path: Path) -> None:
    oversample(
        own / "train.json",
        images=own / "photos",
        out=tmp_path / "set",
        count=12,
        rare_classes=("Tree",),
        background_classes=("Car",),
        min_area_px=100,
        max_cover=1.0,
        min_visible_px=4,
        flip=0,
        elastic=0,
        jobs=1,
    )
    sources = read_lineage(tmp_path / "set" / "lineage.json").sources
    onto = {image for image, pair in sources.items() if 109 in pair}
    void = {image for image in sources if (read_mask(tmp_path / "set" / "masks" / f"{image}.png") == 255).any()}
    assert onto == void


def test_foreign_folders_are_left_alone(own: Path, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InputError, match="holds other files"):
        copy_paste(own / "train.json", images=own / "photos", out=tmp_path, count=1)


def test_flags_out_of_range_are_named(own: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"command line: key 'copy_paste.max_cover'.*found 3"):
        copy_paste(own / "train.json", images=own / "photos", out=tmp_path / "x", max_cover=3)


@pytest.mark.parametrize("verb", [copy_paste, doctor, folds, masks, oversample, to_coco])
def test_every_flag_is_explained_by_example(verb: Callable[..., None]) -> None:
    text = inspect.getdoc(verb) or ""
    flags = [name for name, flag in inspect.signature(verb).parameters.items() if flag.kind is flag.KEYWORD_ONLY]
    names = ["--json" if flag == "as_json" else f"--{flag.replace('_', '-')}" for flag in flags]
    assert [name for name in names if name not in text and name.replace("--", "--no-") not in text] == []


def test_help_explains_by_example_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from trashseg.cli import app\n"
        "for verb in ('doctor', 'masks', 'folds', 'oversample', 'copy-paste', 'to-coco'):\n"
        "    app([verb, '--help'], exit_on_error=False, result_action='return_value')\n"
        "assert not {'torch', 'pandas', 'cv2', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Example" in done.stdout and "--quota.Battery 50" in " ".join(done.stdout.replace("│", " ").split())
