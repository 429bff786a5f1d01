"""Which images a split must keep together: equal values under a key of the user's, and near-duplicates found."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from trashseg.data.coco import Row
from trashseg.data.duplicates import joined_groups, near_duplicates
from trashseg.data.findings import stop_at_errors
from trashseg.data.image_files import Look, look_at
from trashseg.errors import InputError, nearest
from trashseg.parallel import parallel_map

GROUP = "group"
"""The key under which images carry their group."""


def look_at_all(folder: Path, path: Path, images: Sequence[Row], max_megapixels: float, jobs: int) -> list[Look]:
    """What each image of the COCO file `path` looks like; the first fault of an image file is an `InputError`."""
    work = partial(look_at, folder=folder, where=str(path), max_megapixels=max_megapixels)
    looks = parallel_map(work, images, jobs, "checking images")
    stop_at_errors(finding for look in looks for finding in look.findings)
    return looks


def grouped(
    images: Sequence[Row], looks: Sequence[Look], group_key: str | None, path: Path, max_bits: int
) -> tuple[dict[int, str], list[tuple[int, int, int]]]:
    """Group per image id, and near-duplicate pairs of ids with their differing bits.

    Images without the key, or with null there, are joined by near-duplicates
    alone. `InputError` where no image has the key.
    """
    if group_key is not None and not any(group_key in image for image in images):
        raise InputError(f"{path}: no image has the key {group_key!r} (data.group_key){nearest(group_key, images[0])}")
    found = near_duplicates(
        [look.hash_bits or b"" for look in looks],
        [look.thumbnail or b"" for look in looks],
        [look.edges or b"" for look in looks],
        max_bits,
    )
    pairs = [(images[i]["id"], images[j]["id"], bits) for i, j, bits in found]
    keys = {image["id"]: _key(image, group_key) for image in images}
    return joined_groups(keys, [(a, b) for a, b, _ in pairs]), pairs


def _key(image: Row, group_key: str | None) -> str | None:
    value = None if group_key is None else image.get(group_key)
    return None if value is None else str(value)


def with_groups(images: Iterable[Row], groups: Mapping[int, str]) -> list[Row]:
    """The image rows with their groups under `GROUP`."""
    return [{**image, GROUP: groups[image["id"]]} for image in images]
