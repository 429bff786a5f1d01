"""Making a set of synthetic images from pairs of labelled ones: planned in one place, rendered on many cores.

Image i is drawn from a generator of its own, seeded by (seed, kind, fold, i,
try), so any number of workers writes the same bytes. A recipe may refuse a
pair (too much would be hidden); its image is then planned again with another
pair, a limited number of times.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import Classes
from trashseg.data.instance_map import ignored_annotations, instance_annotations
from trashseg.data.scenes import Scene, SceneFile
from trashseg.io import encode_image, encode_mask, write_json
from trashseg.lineage import Lineage, write_lineage
from trashseg.parallel import parallel_map
from trashseg.paths import mask_name

TRIES = 6
"""Pairs tried for one image before it is given up."""

ID_BLOCK = 1_000_000
"""Synthetic ids start at the next multiple of this above the labelled ones, one block per kind."""

INLINE = 60
"""Up to this many images are made faster than workers start."""

KINDS = {"oversample": 1, "copy_paste": 2}


@dataclass(frozen=True)
class Pair:
    """One image to make: the scene pasted onto, the one pasted from, and the class that must get in (None: any)."""

    index: int
    target: SceneFile
    source: SceneFile
    wanted: int | None
    seed: tuple[int, ...]


class Recipe(Protocol):
    """Makes a scene of a pair, or None where no attempt met the limits; picklable, and free of state that matters."""

    def __call__(self, pair: Pair, rng: np.random.Generator) -> Scene | None: ...


@dataclass(frozen=True)
class SetFiles:
    """Where a set is written and how its images are named."""

    folder: Path
    first_id: int
    suffix: str
    classes: Classes

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """The display colours of masks, (256, 3)."""
        return self.classes.palette()


def first_id(kind: str, labelled_ids: Sequence[int]) -> int:
    """The first id of a kind's synthetic images, above every labelled id; no two kinds overlap."""
    return (max(labelled_ids, default=0) // ID_BLOCK + KINDS[kind]) * ID_BLOCK


def make_set(
    recipe: Recipe,
    plan: Callable[[int, np.random.Generator], tuple[SceneFile, SceneFile, int | None] | None],
    count: int,
    seed: tuple[int, ...],
    files: SetFiles,
    fold: int,
    jobs: int,
) -> int:
    """Make up to `count` images into `files.folder`, and give how many there are.

    `plan(i, rng)` chooses target, source and wanted class of image i, or None
    where there is no choice. `images/`, `masks/`, `annotations.json` and
    `lineage.json` appear together when all is done.
    """
    with whole_folder(files.folder) as folder:
        (folder / "images").mkdir()
        (folder / "masks").mkdir()
        made: dict[int, Mapping[str, Any]] = {}
        draw = partial(render, recipe=recipe, folder=folder, files=files)
        for attempt in range(TRIES):
            missing = [index for index in range(count) if index not in made]
            # images pasted onto the same one follow each other: it is decoded once
            pairs = sorted(_pairs(plan, missing, (*seed, attempt)), key=lambda pair: pair.target.image_id)
            results = parallel_map(
                draw, pairs, jobs if len(pairs) > INLINE else 1, description=f"{files.folder}: images"
            )
            made |= {pair.index: result for pair, result in zip(pairs, results, strict=True) if result is not None}
        _write_documents(folder, [made[index] for index in sorted(made)], fold, files.classes)
    return len(made)


def _pairs(plan: Any, indices: Sequence[int], seed: tuple[int, ...]) -> Iterator[Pair]:
    for index in indices:
        chosen = plan(index, np.random.default_rng((*seed, index, 0)))
        if chosen is not None:
            target, source, wanted = chosen
            yield Pair(index, target, source, wanted, (*seed, index, 1))


def render(pair: Pair, recipe: Recipe, folder: Path, files: SetFiles) -> dict[str, Any] | None:
    """Make one image, write its pixels and mask, and give its rows for the documents."""
    scene = recipe(pair, np.random.default_rng(pair.seed))
    if scene is None:
        return None
    image_id = files.first_id + pair.index
    name = f"{image_id}{files.suffix}"
    # The folder is not in place yet: no file needs a temporary name of its own.
    (folder / "images" / name).write_bytes(encode_image(files.suffix, scene.image_HWC))
    (folder / "masks" / mask_name(image_id)).write_bytes(encode_mask(scene.mask_HW, files.palette))
    height, width = scene.mask_HW.shape
    return {
        "image": {"id": image_id, "file_name": name, "width": width, "height": height},
        "annotations": instance_annotations(scene.instances_HW, scene.classes_I),
        "ignored_annotations": ignored_annotations(scene.mask_HW),
        "sources": (pair.target.image_id, pair.source.image_id),
    }


def _write_documents(folder: Path, made: Sequence[Mapping[str, Any]], fold: int, classes: Classes) -> None:
    coco = {
        "images": [result["image"] for result in made],
        "annotations": _numbered(made, "annotations"),
        "ignored_annotations": _numbered(made, "ignored_annotations"),
        "categories": [{"id": at, "name": name} for at, name in enumerate(classes.names) if at],
    }
    write_json(folder / "annotations.json", coco, indent=None)
    sources = {result["image"]["id"]: tuple(dict.fromkeys(result["sources"])) for result in made}
    write_lineage(folder / "lineage.json", Lineage(fold, sources))


def _numbered(made: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    rows = ((result["image"]["id"], row) for result in made for row in result[key])
    return [{"id": at, "image_id": image, **row} for at, (image, row) in enumerate(rows, 1)]


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary sibling that becomes `folder` when the block ends well; what was there before goes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
