"""One's own photos through one or more models, without the pipeline: masks, overlays, shares of classes.

A photo that cannot be read does not stop the others; it is named at the end.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from trashseg.classes import Classes
from trashseg.errors import InputError
from trashseg.inference.predict import Predictor, View, choose_device
from trashseg.inference.streaming import read_photo
from trashseg.inference.workers import read_ahead
from trashseg.models.model_folder import DESCRIPTION, folder_and_weights, load_model
from trashseg.parallel import cores
from trashseg.progress import track

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def find_photos(source: Path) -> dict[str, Path]:
    """Name -> file: one photo, or all in a folder and its sub-folders, by name.

    A name is the path below the folder without its suffix, with it where two photos would share one.
    """
    if source.is_file():
        return {source.stem: source}
    if not source.is_dir():
        raise InputError(f"{source}: no such photo or folder")
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise InputError(f"{source}: no photo found, expected files such as *.jpg or *.png")
    bare = [str(path.relative_to(source).with_suffix("")) for path in files]
    return {
        name if bare.count(name) == 1 else str(path.relative_to(source)): path
        for name, path in zip(bare, files, strict=True)
    }


@dataclass(frozen=True)
class Answer:
    """What the models say of one photo: probabilities_CHW on the device, at the photo's own size."""

    name: str
    image_HWC: NDArray[np.uint8]
    probabilities_CHW: torch.Tensor


@dataclass
class Members:
    """Models that answer together, by the mean of their probabilities."""

    classes: Classes
    predictors: Sequence[Predictor]
    unread: list[str] = field(default_factory=list)

    def answers(self, photos: Mapping[str, Path], max_megapixels: float, upright: bool = True) -> Iterator[Answer]:
        """The mean answer to each photo that can be read, in order; the others' errors gather in `unread`.

        `upright`: turned as its EXIF tag says, as viewers show it; a model has seen few photos that lie on their side.
        """
        seen: list[tuple[str, NDArray[np.uint8]]] = []

        def read(name: str) -> tuple[str, NDArray[np.uint8] | InputError]:
            try:
                return name, read_photo(photos[name], max_megapixels, upright)
            except InputError as error:
                return name, error

        def readable(pool: ThreadPoolExecutor) -> Iterator[NDArray[np.uint8]]:
            tracked = track(photos, "predicting", len(photos))
            for name, found in read_ahead(read, tracked, pool, cores() + 2):
                if isinstance(found, InputError):
                    self.unread.append(str(found))
                else:
                    seen.append((name, found))
                    yield found

        with ThreadPoolExecutor(cores()) as pool:
            streams = tee(readable(pool), len(self.predictors))
            together = (p.probabilities(s) for p, s in zip(self.predictors, streams, strict=True))
            for each_CHW in zip(*together, strict=True):
                name, image_HWC = seen.pop(0)
                yield Answer(name, image_HWC, torch.stack(each_CHW).mean(0) if len(each_CHW) > 1 else each_CHW[0])


def load_members(
    folders: Sequence[Path],
    view: View,
    batch_size: int = 4,
    device: str = "auto",
    precision: str = "auto",
    photos: int = 0,
) -> Members:
    """Models of one class list, ready to predict so many photos."""
    where = choose_device(device)
    predictors: list[Predictor] = []
    classes: Classes | None = None
    for folder in folders:
        network, description = load_model(folder)
        if classes is not None and description.classes.names != classes.names:
            found, expected = ", ".join(description.classes.names), ", ".join(classes.names)
            described = folder_and_weights(folder)[0] / DESCRIPTION
            raise InputError(f"{described}: trained for classes {found}; {folders[0]} has {expected}")
        classes = description.classes
        size = description.image_size
        predictors.append(Predictor(network, size, view, where, batch_size, precision, photos=photos))
    if classes is None:
        raise InputError("no model folder given, expected at least one")
    return Members(classes, predictors)


def shares(mask_HW: NDArray[np.uint8], classes: Classes) -> dict[str, float]:
    """The share of the pixels of each class that is there, largest first."""
    counts = np.bincount(mask_HW.ravel(), minlength=len(classes))
    order = np.argsort(-counts, kind="stable")
    return {classes.names[i]: round(float(counts[i] / mask_HW.size), 6) for i in order if counts[i]}
