"""Stage predict: what one network's folds say of their validation images, the test images, and the pool if asked.

One process for all folds, since imports are dear. Answers gather outside of
the stage's output, which DVC empties before it runs, so a killed run goes on
where it was; what gathered under other weights, photos or settings is thrown
away.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from trashseg import paths
from trashseg.classes import read_classes
from trashseg.config import read_section, read_value
from trashseg.data.folds import read_folds
from trashseg.errors import InputError, run_command
from trashseg.inference.config import PredictConfig
from trashseg.inference.photos import photo_paths
from trashseg.inference.predict import Predictor, View, choose_device
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.streaming import predict_photos
from trashseg.io import read_json, write_json
from trashseg.models.model_folder import DESCRIPTION, load_model

GATHERED = Path(".trashseg") / "predict"
FINGERPRINT = "fingerprint.json"


def predictor_of(folder: Path, names: tuple[str, ...], config: PredictConfig, photos: int) -> Predictor:
    """The predictor of a model folder, which must know the dataset's classes, for so many photos."""
    network, description = load_model(folder)
    if description.classes.names != names:
        found, expected = ", ".join(description.classes.names), ", ".join(names)
        raise InputError(f"{folder / DESCRIPTION}: trained for classes {found}; the dataset has {expected}")
    view = View(config.view == "whole", config.scales, config.flips, config.window_overlap)
    device = choose_device(config.device)
    size, single = description.image_size, config.keep_single
    return Predictor(network, size, view, device, config.batch_size, config.precision, single, photos)


def fingerprint(model_folder: Path, photos: dict[int, Path], config: PredictConfig) -> dict[str, Any]:
    """What the answers of one fold depend on; equal fingerprints mean that they may be kept."""
    states = [(image_id, str(path), path.stat().st_size, path.stat().st_mtime_ns) for image_id, path in photos.items()]
    settings = config.model_dump(mode="json", exclude={"workers", "max_megapixels"})
    return {
        "weights": read_json(model_folder / DESCRIPTION).get("weights_sha256"),
        "photos": hashlib.sha256(json.dumps(states).encode()).hexdigest(),
        "settings": settings,
    }


def claim(folder: Path, wanted: dict[str, Any]) -> None:
    """Empty a fold's gathering folder unless what is in it was made with the same fingerprint."""
    record = folder / FINGERPRINT
    if not record.is_file() or read_json(record) != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(record, wanted)


def predict_fold(
    model_folder: Path, parts: dict[str, dict[int, Path]], names: tuple[str, ...], folder: Path, config: PredictConfig
) -> None:
    """Gather one fold's stores in `folder`; `parts` are the photos of each (val, test, pool)."""
    everything = {image_id: path for photos in parts.values() for image_id, path in photos.items()}
    for image_id, path in everything.items():
        if not path.is_file():
            raise InputError(f"{path}: no such image (id {image_id})")
    claim(folder, fingerprint(model_folder, everything, config))
    predictor = predictor_of(model_folder, names, config, len(everything))
    for part, photos in parts.items():
        store = ProbabilityStore(folder / part, names)
        store.folder.mkdir(parents=True, exist_ok=True)
        what = f"predict {model_folder.parent.name} fold {model_folder.name} {part}"
        predict_photos(predictor, photos, store, what, config.workers, config.max_megapixels)


def run(round_id: str, model: str, folds: list[int], config: PredictConfig) -> None:
    """Write `artifacts/predict/{round}/{model}`: stores `{fold}/val`, `{fold}/test`, `{fold}/pool` if it is asked."""
    names = read_classes(paths.DATASET / "classes.json").names
    images = paths.DATASET / "images"
    labelled = photo_paths(paths.DATASET / "train_all.json", images)
    unlabelled = {"test": photo_paths(paths.DATASET / "test.json", images)}
    if pool := photo_paths(paths.POOL / f"{round_id}.json", images):
        unlabelled["pool"] = pool
    split = read_folds(paths.FOLDS / "folds.json")
    gathered = GATHERED / round_id / model
    for fold in folds:
        validation = {image_id: labelled[image_id] for image_id in split.validation_ids(fold)}
        parts = {"val": validation, **unlabelled}
        predict_fold(paths.train(round_id, model, fold), parts, names, gathered / str(fold), config)
    finish(gathered, paths.predict(round_id, model), folds, ["val", *unlabelled])


def finish(gathered: Path, out: Path, folds: list[int], parts: list[str]) -> None:
    """Move the gathered stores to the stage's output."""
    shutil.rmtree(out, ignore_errors=True)
    for fold in folds:
        for part in parts:
            (out / str(fold)).mkdir(parents=True, exist_ok=True)
            shutil.move(gathered / str(fold) / part, out / str(fold) / part)
    shutil.rmtree(gathered)


def main() -> None:
    """Command line: python -m tasks.predict --round r0 --model unet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--round", required=True, help="id of the round, e.g. r0")
    parser.add_argument("--model", required=True, help="name of the network, e.g. unet")
    arguments = parser.parse_args()
    config = read_section("predict", PredictConfig)
    run(arguments.round, arguments.model, read_value("folds", list), config)


if __name__ == "__main__":
    run_command(main)
