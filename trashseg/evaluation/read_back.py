"""A submission CSV back to masks, pictures and a member for an ensemble: anyone's best answer can be reused."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import Classes, write_classes
from trashseg.errors import InputError
from trashseg.evaluation.grid import SIDE, from_grid
from trashseg.evaluation.submission import read_submission
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_image, write_image, write_json, write_mask
from trashseg.report.pictures import paint


def name_of(file_name: str) -> str:
    """`batch/0001.jpg` -> `batch/0001`; a name that leaves its folder is an `InputError`."""
    path = Path(file_name)
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"image name {file_name!r} leads out of its folder")
    return str(path.with_suffix(""))


def as_probabilities(mask_HW: NDArray[np.uint8], classes: int, certainty: float) -> NDArray[np.float32]:
    """probabilities_CHW that give each pixel's class `certainty` and share the rest among the others."""
    planes_CHW = np.full((classes, *mask_HW.shape), (1 - certainty) / max(classes - 1, 1), np.float32)
    np.put_along_axis(planes_CHW, mask_HW[None].astype(np.int64), np.float32(certainty), axis=0)
    return planes_CHW


def read_back(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    classes: Classes,
    out: Path,
    images: Path | None = None,
    certainty: float | None = None,
    side: int = SIDE,
) -> int:
    """Write `masks/NAME.png` at each image's own size under `out`; how many.

    `rows` are the COCO image rows the CSV answers. With the folder `images`
    also `overlays/NAME.jpg`; with a `certainty` also `probabilities/`, a
    member for `trashseg ensemble`.
    """
    sizes = {str(row["file_name"]): (int(row["height"]), int(row["width"])) for row in rows}
    palette = classes.palette()
    store = ProbabilityStore(out / "probabilities", classes.names)
    names: list[str] = []
    for file_name, grid_HW in read_submission(path, len(classes), side):
        if file_name not in sizes:
            raise InputError(f"{path}: {file_name} is no image of the COCO file given")
        height, width = sizes[file_name]
        mask_HW = from_grid(grid_HW, height, width)
        name = name_of(file_name)
        write_mask(out / "masks" / f"{name}.png", mask_HW, palette)
        if images is not None:
            write_image(out / "overlays" / f"{name}.jpg", paint(read_image(images / file_name), mask_HW, palette))
        if certainty is not None:
            store.write(len(names), as_probabilities(mask_HW, len(classes), certainty))
        names.append(name)
    if certainty is not None:
        write_json(store.folder / "names.json", dict(enumerate(names)))
        write_classes(store.folder / "classes.json", classes)
    return len(names)
