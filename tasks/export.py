"""Stage export: the selected round's networks as ONNX files, each compared with torch on photos of the dataset."""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.config import read_section, read_value
from trashseg.data.resizing import resize
from trashseg.errors import run_command
from trashseg.inference.config import ExportConfig
from trashseg.inference.export import export_checked
from trashseg.inference.photos import photo_paths
from trashseg.io import read_image, read_json, write_json
from trashseg.models.model_folder import ModelDescription, load_model


def chosen_folds(round_id: str, model: str, folds: Sequence[int], members: str) -> list[int]:
    """The folds of a network to export: all, or the one that scored best in training."""
    if members == "all":
        return list(folds)
    scores = [(read_json(paths.train(round_id, model, fold) / "metrics.json").get("miou") or 0.0) for fold in folds]
    return [folds[int(np.argmax(scores))]]


def batches(photos: Sequence[Path], size: tuple[int, int], stride: int) -> list[NDArray[np.uint8]]:
    """Photos as batches_BHWC of the trained size, and the first once more at another size: sizes must stay open."""
    images = [read_image(path) for path in photos]
    other = (size[0] + stride, size[1] + 2 * stride)
    whole = [resize(image_HWC, size)[None] for image_HWC in images]
    return [*whole, np.concatenate([resize(images[0], other)[None]] * 2)]


def export_member(folder: Path, photos: Sequence[Path], path: Path, config: ExportConfig) -> dict[str, Any]:
    """Write one ONNX file; how it compares. A file that answers otherwise than torch is an error."""
    network, description = load_model(folder)
    size = (description.image_size[0], description.image_size[1])
    compared_on = batches(photos, size, network.stride)
    parity = export_checked(network, path, size, config.opset, compared_on, config.tolerance, config.latency_runs)
    return {**asdict(parity), **_facts(description, network.stride), "bytes": path.stat().st_size}


def _facts(description: ModelDescription, stride: int) -> dict[str, Any]:
    return {
        "classes": list(description.classes.names),
        "trained_size": list(description.image_size),
        "stride": stride,
        "input": "image: uint8 (B, H, W, 3), r g b, H and W multiples of the stride",
        "output": "probabilities: float32 (B, C, H, W)",
    }


def run(folds: list[int], models: list[str], config: ExportConfig) -> None:
    """Write `artifacts/export`: `{model}_{fold}.onnx` and `parity.json`."""
    round_id = str(read_json(paths.SELECT / "selected.json")["round"])
    images = paths.DATASET / "images"
    known = photo_paths(paths.DATASET / "test.json", images) or photo_paths(paths.DATASET / "train_all.json", images)
    photos = list(known.values())[: config.parity_images]
    building = paths.EXPORT.with_name(f".{paths.EXPORT.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    files = {}
    for model in models:
        for fold in chosen_folds(round_id, model, folds, config.members):
            name = f"{model}_{fold}.onnx"
            files[name] = export_member(paths.train(round_id, model, fold), photos, building / name, config)
            print(f"{name}: differs from torch by at most {files[name]['largest_difference']:.1e}")
    write_json(building / "parity.json", {"round": round_id, "tolerance": config.tolerance, "files": files})
    shutil.rmtree(paths.EXPORT, ignore_errors=True)
    building.rename(paths.EXPORT)


def main() -> None:
    """Command line: python -m tasks.export."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    run(read_value("folds", list), read_value("models", list), read_section("export", ExportConfig))


if __name__ == "__main__":
    run_command(main)
