"""Each flag of `trashseg copy-paste` and `oversample` does what it says, by the command itself.

The contest entry this follows had a documented command that could not run, switches that were always on, and
flags that did nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trashseg.cli import app
from trashseg.errors import InputError
from trashseg.io import read_json, read_mask, write_image, write_json

SIDE = 64
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos; each has an object of Battery or Can at a place of its own, every third one of Paper, too."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for at in range(12):
        image = 40 + 7 * at
        write_image(folder / "photos" / "a" / f"{image}.png", rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8))
        images.append({"id": image, "file_name": f"a/{image}.png", "width": SIDE, "height": SIDE})
        annotations.append(box(image, 9 if at % 4 == 0 else 4, 6 + at, 14, 24 if at % 2 else 12))
        if at % 3 == 0:
            annotations.append(box(image, 2, 40, 44, 12))
    names = {2: "Paper", 4: "Can", 9: "Battery"}
    coco = {
        "images": images,
        "annotations": [{"id": at, **row} for at, row in enumerate(annotations)],
        "categories": [{"id": number, "name": name} for number, name in names.items()],
    }
    write_json(folder / "train.json", coco)
    return folder


def box(image: int, category: int, x: int, y: int, side: int) -> dict[str, object]:
    polygon = [x, y, x + side, y, x + side, y + side, x, y + side]
    return {"image_id": image, "category_id": category, "segmentation": [polygon], "area": side * side}


COMMON = "--min-visible-px 8 --format png --jobs 1"
COPY_PASTE = f"--count 6 --patch-classes Battery --patch-classes Can --large-px 1200 --small-px 20 {COMMON}"
OVERSAMPLE = f"--count 6 --rare-classes Battery --background-classes Can --min-area-px 50 --max-cover 1 {COMMON}"


def made(verb: str, own: Path, out: Path, flags: str) -> Files:
    """The files of a set made by the command; in `flags`, later ones stand for earlier ones of the same name."""
    words = flags.split()
    app([verb, str(own / "train.json"), "--images", str(own / "photos"), "--out", str(out), *words], **QUIET)
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


QUIET = {"result_action": "return_value", "exit_on_error": False}


def replaced(flags: str, change: str) -> str:
    """`flags` with the flag of `change` set otherwise."""
    parts = [f"--{part}" for part in f" {flags}".split(" --")[1:]]
    return " ".join([*(part for part in parts if part.split()[0] != change.split()[0]), change])


@pytest.fixture(scope="module")
def plain(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Files]]:
    out = tmp_path_factory.mktemp("plain")
    verbs = {"copy-paste": COPY_PASTE, "oversample": OVERSAMPLE}
    yield {verb: made(verb, own, out / verb, flags) for verb, flags in verbs.items()}


@pytest.mark.parametrize(
    "change",
    [
        "--count 5",
        "--patch-classes Battery",
        "--excluded-classes Paper",
        "--only-patch-classes",
        "--quota.Battery 6",
        "--jitter none",
        "--jitter both",
        "--jitter-min 1.5",
        "--jitter-max 0.5",
        "--large-px 100",
        "--small-px 500",
        "--flip 0",
        "--no-turn",
        "--placement own",
        "--max-cover 0",
        "--min-visible-px 200",
        "--soft-edge-px 0",
        "--attempts 1",
        "--format jpg",
        "--ignore Paper",
        "--fold 3",
        "--seed 1",
    ],
)
def test_flags_of_copy_paste(own: Path, tmp_path: Path, plain: dict[str, Files], change: str) -> None:
    assert made("copy-paste", own, tmp_path / "set", replaced(COPY_PASTE, change)) != plain["copy-paste"]


@pytest.mark.parametrize(
    "change",
    [
        "--count 5",
        "--rare-classes Can",
        "--min-area-px 300",
        "--background-classes Paper",
        "--max-annotations 0",
        "--flip 0",
        "--elastic 0",
        "--elastic-px 2",
        "--max-cover 0",
        "--min-visible-px 400",
        "--soft-edge-px 0",
        "--format jpg",
        "--ignore Battery",
        "--fold 3",
        "--seed 1",
    ],
)
def test_flags_of_oversample(own: Path, tmp_path: Path, plain: dict[str, Files], change: str) -> None:
    try:
        files = made("oversample", own, tmp_path / "set", replaced(OVERSAMPLE, change))
    except InputError as error:
        assert "class 'Battery' is unknown" in str(error), "what is ignored is no class"
        return
    assert files != plain["oversample"]


@pytest.mark.parametrize(("verb", "flags"), [("copy-paste", COPY_PASTE), ("oversample", OVERSAMPLE)])
def test_jobs_change_no_byte(
    own: Path, tmp_path: Path, plain: dict[str, Files], verb: str, flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trashseg.data.synthetic_set.INLINE", 0)
    for jobs in (2, 3):
        assert made(verb, own, tmp_path / str(jobs), replaced(flags, f"--jobs {jobs}")) == plain[verb]


def test_excluded_classes_take_no_part_and_quotas_are_met(own: Path, tmp_path: Path) -> None:
    made("copy-paste", own, tmp_path, f"{COPY_PASTE} --excluded-classes Paper --quota.Battery 4")
    holding_paper = {40 + 7 * at for at in range(0, 12, 3)}
    sources = read_json(tmp_path / "lineage.json")["images"]
    assert not {source for pair in sources.values() for source in pair} & holding_paper
    battery = read_json(tmp_path / "annotations.json")["categories"][2]
    assert battery["name"] == "Battery"
    masks = [read_mask(tmp_path / "masks" / f"{image}.png") for image in sources]
    assert sum(bool((mask_HW == battery["id"]).any()) for mask_HW in masks) >= 4


def test_what_is_written_names_no_folder_of_the_machine(own: Path, tmp_path: Path) -> None:
    made("copy-paste", own, tmp_path, COPY_PASTE)
    for path in tmp_path.glob("*.json"):
        assert str(own) not in path.read_text() and str(tmp_path) not in path.read_text()
