"""Pixels of each class and image of a COCO file that has no masks: painted here, for counting alone."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trashseg.data.instances import count
from trashseg.data.masks import paint
from trashseg.data.scenes import SceneFile
from trashseg.parallel import parallel_map

INLINE = 400
"""Up to this many images are painted faster than workers start."""


def count_painted(file: SceneFile, classes: int) -> NDArray[np.int64]:
    """Pixels of each class, (C,); ignored ones are left out."""
    return count(paint(file.annotations, file.ignored, file.height, file.width), classes - 1)


def painted_pixels(files: Sequence[SceneFile], classes: int, jobs: int = 0) -> NDArray[np.int64]:
    """Pixels of each class in every image, (N, C)."""
    work = partial(count_painted, classes=classes)
    counts = parallel_map(work, files, jobs if len(files) > INLINE else 1, description="counting pixels")
    return np.array(counts, np.int64).reshape(len(files), classes)
