"""The photos of a COCO file: ids, files, sizes."""

from pathlib import Path

from trashseg.errors import InputError
from trashseg.io import read_json


def photo_paths(coco: Path, images: Path) -> dict[int, Path]:
    """Image id -> its file under `images`, for every image of a COCO file, in the file's order."""
    try:
        return {int(row["id"]): images / str(row["file_name"]) for row in read_json(coco)["images"]}
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{coco}: expected COCO with images of an id and a file_name") from None
