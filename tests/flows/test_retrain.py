"""The flow `retrain` on a toy pipeline, with the real doctor and a real registry."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flows.outcomes import BAD_INPUT, CHAMPION, NOT_BETTER, NOTHING_NEW
from flows.retrain import retrain
from tests.flows.conftest import Toy

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(900)]

GRAPH = """\
stages:
  dataset:
    cmd: python pipeline.py
    deps: ['${data.root}', pipeline.py]
    params: [data, folds]
    outs: [artifacts/dataset, artifacts/masks, artifacts/folds, artifacts/evaluate, artifacts/export]
"""

PIPELINE = """\
import json, pathlib, shutil
import numpy as np, yaml
root = pathlib.Path(yaml.safe_load(open("params.yaml"))["data"]["root"])
quality = int((root / "quality").read_text())
rows = json.load(open(root / "train_all.json"))["images"]
here = pathlib.Path("artifacts")
for folder in ("dataset/images", "masks", "folds", "evaluate/r0/oof", "export"):
    (here / folder).mkdir(parents=True)
for row in rows:
    shutil.copy(root / row["file_name"], here / "dataset/images" / row["file_name"])
    (here / "masks" / f"{row['id']}.png").write_bytes(b"label of " + row["file_name"].encode())
json.dump({"images": rows}, open(here / "dataset/train_all.json", "w"))
folds = {str(row["id"]): row["id"] % 2 for row in rows}
json.dump({"k": 2, "assignment": folds}, open(here / "folds/folds.json", "w"))
confusions = np.array([[[100, 0], [100 - quality, quality]]] * len(rows))
ids = np.array([row["id"] for row in rows])
oof = here / "evaluate/r0/oof"
np.savez(oof / "per_image.npz", ids=ids, groups=ids.astype(str), miou=confusions, miou_256=confusions)
step = {"step": "unet folds", "miou": quality / 100, "miou_256": quality / 100, "per_class": {}}
json.dump({"refined": False, "steps": [step]}, open(oof / "metrics.json", "w"))
facts = {"classes": ["Background", "Paper"], "trained_size": [8, 8]}
json.dump({"round": "r0", "files": {"unet_0.onnx": facts}}, open(here / "export/parity.json", "w"))
(here / "export/unet_0.onnx").write_bytes(f"{quality} {len(rows)}".encode())
"""


def dataset(folder: Path, count: int, quality: int) -> None:
    """A sound COCO dataset of `count` distinct photos; what is trained on it will have this quality."""
    folder.mkdir(exist_ok=True)
    images, annotations = [], []
    for i in range(1, count + 1):
        pixels = np.random.default_rng(i).integers(0, 255, (4, 4, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        assert cv2.imwrite(str(folder / f"{i}.png"), pixels)
        images.append({"id": i, "file_name": f"{i}.png", "width": 32, "height": 32})
        square = {"id": i, "image_id": i, "category_id": 1, "area": 64, "bbox": [4, 4, 8, 8], "iscrowd": 0}
        annotations.append({**square, "segmentation": [[4, 4, 12, 4, 12, 12, 4, 12]]})
    coco = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "Paper"}]}
    (folder / "train_all.json").write_text(json.dumps(coco))
    (folder / "quality").write_text(str(quality))


@pytest.fixture
def registry(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A toy pipeline over a dataset of 24 photos, tracked in a store of its own."""
    monkeypatch.setenv("TRASHSEG_TRACKING", "on")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    toy.write("dvc.yaml", GRAPH)
    toy.write("pipeline.py", PIPELINE)
    dataset(toy.folder / "photos $(touch pwned) 'q", 24, quality=50)
    values = toy.read("params.yaml").replace("root: source.txt", "root: 'photos $(touch pwned) ''q'")
    toy.write("params.yaml", values)
    return toy


def run() -> Any:
    return retrain(return_state=True)


def test_the_first_networks_are_champion_and_a_broken_dataset_trains_nothing(registry: Toy) -> None:
    first = run()
    assert (first.name, "no champion" in str(first.message)) == (CHAMPION, True), first.message
    assert not list(registry.folder.rglob("pwned"))
    photos = registry.folder / "photos $(touch pwned) 'q"
    coco = json.loads((photos / "train_all.json").read_text())
    coco["annotations"][0]["category_id"] = 9
    (photos / "train_all.json").write_text(json.dumps(coco))
    refused = run()
    assert refused.name == BAD_INPUT and "annotation 1" in str(refused.message)
    assert (registry.folder / "artifacts/export/unet_0.onnx").read_text() == "50 24", "nothing ran on it"


@pytest.mark.faults
def test_a_champion_is_kept_and_beaten_after_new_photos_came_in(registry: Toy) -> None:
    photos = registry.folder / "photos $(touch pwned) 'q"
    assert run().name == CHAMPION
    assert run().name == NOTHING_NEW
    dataset(photos, 30, quality=40)
    worse = run()
    assert worse.name == NOT_BETTER and "does not beat the champion on 24 common photos" in str(worse.message)
    dataset(photos, 36, quality=60)
    better = run()
    assert better.name == CHAMPION and "beats the champion on 24 common photos" in str(better.message)


def test_without_tracking_there_is_nothing_to_be_champion_of(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    state = retrain(return_state=True)
    assert state.name == BAD_INPUT and "tracking is off" in str(state.message)
