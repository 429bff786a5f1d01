"""The embedded sample: seeded, drawn, photo-like scenes of the contest's classes as a COCO dataset.

Each scene depends on the seed and its number alone. A share of the scenes is
shot twice, with the camera moved and the light changed: near-duplicates, which
`scene` tells apart in the JSON. Every class gets its share of the objects, so
that the rare ones are rare but never absent.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trashseg.classes import CONTEST_NAMES
from trashseg.data.sample.catalogue import SHARES
from trashseg.data.sample.labels import annotate
from trashseg.data.sample.scene import Placed, Shot, draw, place
from trashseg.io import write_image, write_json
from trashseg.parallel import parallel_map

MIN_VISIBLE_PX = 12
"""Smaller objects, mostly cut off by the picture's edge, are drawn but not labelled."""


@dataclass(frozen=True)
class Sheet:
    """One picture to draw: its scene, shot and the classes in it."""

    image_id: int
    scene: int
    shot: int
    categories: tuple[str, ...]


def plan(
    seed: int, split: int, images: int, first_id: int, objects_per_image: float, empty: float, twice: float
) -> list[Sheet]:
    """Which classes each picture of a split shows; the last ones are second shots of earlier scenes."""
    rng = np.random.default_rng([seed, split])
    again = round(images * twice)
    scenes = images - again
    counts = 1 + rng.poisson(max(objects_per_image - 1, 0), scenes)
    counts[: round(scenes * empty)] = 0
    rng.shuffle(counts)
    categories = _shares(rng, int(counts.sum()))
    bounds = np.concatenate([[0], np.cumsum(counts)])
    shown = [tuple(categories[bounds[i] : bounds[i + 1]]) for i in range(scenes)]
    shots = [(i, 0) for i in range(scenes)] + [(int(i), 1) for i in rng.permutation(scenes)[:again]]
    return [Sheet(first_id + n, first_id + scene, shot, shown[scene]) for n, (scene, shot) in enumerate(shots)]


def _shares(rng: np.random.Generator, total: int) -> list[str]:
    """`total` class names in the catalogue's shares, at least one each where there is room, shuffled."""
    counts = {name: max(1, round(share * total)) for name, share in SHARES.items()}
    names = [name for name, count in counts.items() for _ in range(count)]
    commonest = max(SHARES, key=lambda name: SHARES[name])
    names = [*names, *[commonest] * max(0, total - len(names))]
    return [names[i] for i in rng.permutation(len(names))[:total]]


def shoot(sheet: Sheet, seed: int, side_px: int, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw one picture into `folder`/images; its COCO image and annotations (without ids)."""
    rng = np.random.default_rng([seed, 7, sheet.scene])
    objects = [place(rng, category, side_px) for category in sheet.categories]
    shot = Shot(noise_seed=sheet.image_id)
    if sheet.shot:
        moves = np.random.default_rng([seed, 8, sheet.image_id])
        dx, dy = moves.uniform(-0.04, 0.04, 2) * side_px
        shot = Shot(float(dx), float(dy), float(moves.uniform(0.9, 1.1)), sheet.image_id)
    pairs = sorted(_labelled(objects, side_px, shot), key=lambda pair: -float(pair[1]["area"]))
    name = f"batch_{1 + sheet.image_id // 1000:02d}/{sheet.image_id % 1000:04d}.jpg"
    pixels = draw(int(rng.integers(2**31)), [placed for placed, _ in pairs], side_px, shot)
    write_image(folder / "images" / name, pixels)
    image = {"id": sheet.image_id, "file_name": name, "width": side_px, "height": side_px, "scene": sheet.scene}
    labels = [{"image_id": sheet.image_id, **label} for _, label in pairs if label["area"] >= MIN_VISIBLE_PX]
    return image, labels


def _labelled(objects: list[Placed], side_px: int, shot: Shot) -> list[tuple[Placed, dict[str, Any]]]:
    """Each object with its label: drawn by labelled area, what lies on top is what the masks paint last."""
    return [
        (
            placed,
            {
                "category_id": CONTEST_NAMES.index(placed.category),
                **annotate(placed.outline, side_px, shot.dx, shot.dy),
            },
        )
        for placed in objects
    ]


def draw_sample(
    folder: Path,
    seed: int,
    train_images: int,
    test_images: int,
    side_px: int,
    objects_per_image: float,
    empty_fraction: float,
    duplicate_fraction: float,
    jobs: int = 0,
) -> None:
    """Write `train_all.json`, `test.json` (no labels), `test_labels.json` and `images/` into `folder`.

    Ids run on from the labelled to the test images. The same arguments give
    the same bytes for any number of jobs.
    """
    mean, share, twice = objects_per_image, empty_fraction, duplicate_fraction
    sheets = plan(seed, 0, train_images, 1, mean, share, twice)
    sheets += plan(seed, 1, test_images, train_images + 1, mean, share, twice)
    work = partial(shoot, seed=seed, side_px=side_px, folder=folder)
    drawn = parallel_map(work, sheets, jobs, "drawing scenes")
    labelled, other = drawn[:train_images], drawn[train_images:]
    _write(folder / "train_all.json", labelled, with_labels=True)
    _write(folder / "test.json", other, with_labels=False)
    _write(folder / "test_labels.json", other, with_labels=True)


def _write(path: Path, drawn: list[tuple[dict[str, Any], list[dict[str, Any]]]], with_labels: bool) -> None:
    annotations = [label for _, labels in drawn for label in labels] if with_labels else []
    write_json(
        path,
        {
            "info": {"description": "scenes drawn by trashseg.data.sample"},
            "images": [image for image, _ in drawn],
            "annotations": [{"id": n, **label} for n, label in enumerate(annotations, 1)],
            "categories": [{"id": i, "name": name, "supercategory": name} for i, name in enumerate(CONTEST_NAMES) if i],
        },
        indent=None,
    )
