"""The photos of a COCO file, and those of a dataset that have no labels: ids and files."""

from pathlib import Path

from trashseg.errors import InputError
from trashseg.io import read_json


def photo_paths(coco: Path, images: Path) -> dict[int, Path]:
    """Image id -> its file under `images`, for every image of a COCO file, in the file's order."""
    content = read_json(coco)
    try:
        return {int(row["id"]): images / str(row["file_name"]) for row in content["images"]}
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{coco}: expected COCO with images of an id and a file_name") from None


def pool_paths(dataset: Path) -> dict[int, Path]:
    """Image id -> file of the photos that are there for pseudo labels alone; none where there is no such list."""
    path = dataset / "unlabelled.json"
    return photo_paths(path, dataset / "images") if path.is_file() else {}
