"""The CRF on one's own photos and probabilities, without the pipeline: masks, and pictures before and after."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import read_classes
from trashseg.errors import InputError
from trashseg.inference.crf import CrfParameters, argmax, refined_mask
from trashseg.inference.crf_engines import engine
from trashseg.inference.own_names import check_stores, read_names
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.workers import each
from trashseg.io import image_size, read_image, write_image, write_mask
from trashseg.report.pictures import paint

SUFFIXES = ("", ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def photo_of(source: Path, name: str) -> Path:
    """The photo `name` of a folder (or the one photo given); `InputError` where there is none."""
    if source.is_file():
        return source
    found = [source / f"{name}{suffix}" for suffix in SUFFIXES if (source / f"{name}{suffix}").is_file()]
    if not found:
        raise InputError(f"{source / name}: no such photo, expected one of {', '.join(filter(None, SUFFIXES))}")
    return found[0]


def check_size(store: ProbabilityStore, number: int, file: Path) -> None:
    """The photo has the size of its probabilities, as it is stored or turned as its EXIF tag says."""
    header, size = store.check(number), image_size(file)
    if (header.height, header.width) not in (size, size[::-1]):
        found, expected = (f"{width}x{height}" for height, width in ((header.height, header.width), size))
        raise InputError(f"{store.path(number)}: made at {found} pixels, but {file} has {expected}")


def read_like(file: Path, size: tuple[int, ...]) -> NDArray[np.uint8]:
    """The photo as `trashseg predict` saw it: upright where that is the size of its probabilities, else as stored."""
    upright_HWC = read_image(file, upright=True)
    return upright_HWC if upright_HWC.shape[:2] == size else read_image(file)


def side_by_side(
    image_HWC: NDArray[np.uint8], before_HW: NDArray[np.uint8], after_HW: NDArray[np.uint8], palette: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The photo painted with the mask before, and after, next to each other."""
    return np.concatenate([paint(image_HWC, mask_HW, palette) for mask_HW in (before_HW, after_HW)], axis=1)


def refine_photos(
    probabilities: Path, photos: Path, out: Path, parameters: CrfParameters, engine_name: str, pictures: bool
) -> Mapping[str, float]:
    """Write `masks/` (and `pictures/`) under `out`; the share of pixels that changed, by photo."""
    names = read_names(probabilities)
    classes = read_classes(probabilities / "classes.json")
    store, palette = ProbabilityStore(probabilities, classes.names), classes.palette()
    files = {number: photo_of(photos, name) for number, name in names.items()}
    check_stores([store], sorted(names))
    for number, file in files.items():
        check_size(store, number, file)
    solve = engine(engine_name, len(names) * 512.0 * 512.0)

    def refine(number: int) -> float:
        probabilities_CHW = store.read(number)
        image_HWC = read_like(files[number], probabilities_CHW.shape[1:])
        before_HW = argmax(probabilities_CHW)
        after_HW = refined_mask(probabilities_CHW, image_HWC, parameters, solve)
        write_mask(out / "masks" / f"{names[number]}.png", after_HW, palette)
        if pictures:
            picture_HWC = side_by_side(image_HWC, before_HW, after_HW, palette)
            write_image(out / "pictures" / f"{names[number]}.jpg", picture_HWC)
        return float(np.mean(before_HW != after_HW))

    numbers = sorted(names)
    return dict(zip((names[n] for n in numbers), each(refine, numbers, "refining"), strict=True))
