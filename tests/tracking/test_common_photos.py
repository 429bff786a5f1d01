"""Two pipelines on the photos both answered out of fold."""

from pathlib import Path

import numpy as np
import pytest

from trashseg import paths
from trashseg.io import write_json
from trashseg.tracking.common_photos import PhotoCounts, on_common_photos, read_counts


def counts(right: int, first: int, last: int, classes: int = 2) -> PhotoCounts:
    """Photos first..last-1, each with 100 pixels of two classes, `right` of the second class's right."""
    confusion = np.zeros((classes, classes), np.int64)
    confusion[0, 0], confusion[1, 0], confusion[1, 1] = 100, 100 - right, right
    keys = [f"photo {i}" for i in range(first, last)]
    return PhotoCounts(keys, np.repeat(confusion[None], len(keys), 0), keys)


def test_the_better_one_on_common_photos_wins_whatever_it_scored_elsewhere() -> None:
    present = counts(50, 0, 40)
    better, reason = on_common_photos(present, counts(60, 10, 60))
    assert better and "30 common photos" in reason and "more than chance" in reason
    assert not on_common_photos(present, counts(40, 10, 60))[0]
    assert not on_common_photos(present, counts(50, 10, 60))[0], "equal is not better"


def test_what_does_not_compare() -> None:
    assert "19 in common" in on_common_photos(counts(50, 0, 40), counts(60, 21, 90))[1]
    assert "other classes" in on_common_photos(counts(50, 0, 40), counts(60, 0, 40, classes=3))[1]


@pytest.mark.parametrize("changed", ["photo", "label"])
def test_a_photo_is_known_by_its_bytes_and_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    oof = paths.evaluate("r0") / "oof"
    oof.mkdir(parents=True)
    write_json(oof / "metrics.json", {"refined": True})
    confusions = np.ones((2, 2, 2), np.int64)
    np.savez(oof / "per_image.npz", ids=[7, 8], groups=["a", "b"], miou=confusions, miou_256=confusions)
    write_json(paths.DATASET / "train_all.json", {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in (7, 8)]})
    files = {"photo": paths.DATASET / "images" / "8.jpg", "label": paths.MASKS / "8.png"}
    for path in (*files.values(), paths.DATASET / "images" / "7.jpg", paths.MASKS / "7.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    before = read_counts("r0")
    files[changed].write_bytes(b"other")
    after = read_counts("r0")
    assert before.keys[0] == after.keys[0] and before.keys[1] != after.keys[1]
    before.save(tmp_path / "counts.npz")
    loaded = PhotoCounts.load(tmp_path / "counts.npz")
    assert (loaded.keys, loaded.groups) == (before.keys, ["a", "b"]) and (loaded.confusions == confusions).all()
