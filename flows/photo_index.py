"""`shares.json` beside the results of `predict-batch`: what was found in each photo, and which photos are done.

A photo is known by its file name and a stamp (size and time of change, or
ETag): one that was replaced under its name is new again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from flows.places import Place, safe
from trashseg.errors import InputError

INDEX = "shares.json"
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class PhotoIndex:
    """The rows of `shares.json` in `out`, by file."""

    def __init__(self, out: Place) -> None:
        """Read what is there; a file that is not such JSON is an `InputError`."""
        self.out = out
        content = out.read(INDEX)
        try:
            value = {"photos": []} if content is None else json.loads(content)
            self.rows: dict[str, dict[str, Any]] = {str(row["file"]): row for row in value["photos"]}
            self.classes: list[str] | None = value.get("classes")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{out}/{INDEX}: expected what predict-batch writes; move it away") from None
        self._files = {row["name"]: file for file, row in self.rows.items() if "name" in row}

    def new(self, stamps: Mapping[str, str], again: bool = False) -> dict[str, str]:
        """File -> stamp of the photos among `stamps` that are not done as they are now."""
        return {
            file: stamp
            for file, stamp in stamps.items()
            if PurePosixPath(file).suffix.lower() in PHOTOS
            and safe(file)
            and (again or self.rows.get(file, {}).get("stamp") != stamp)
        }

    def name(self, file: str) -> str:
        """The name of a photo's results: without its suffix, with it where another photo has that name already."""
        bare = str(PurePosixPath(file).with_suffix(""))
        name = bare if self._files.setdefault(bare, file) == file else file
        self._files[name] = file
        return name

    def check_classes(self, classes: Sequence[str]) -> None:
        """Masks of one place mean the same: other classes than before are an `InputError`."""
        self.classes = self.classes or list(classes)
        if self.classes != list(classes):
            known, other = ", ".join(self.classes), ", ".join(classes)
            raise InputError(f"{self.out}/{INDEX}: has classes {known}; the models have {other}: choose another `out`")

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows, in the place of older ones of the same files, and write the whole file."""
        self.rows.update({row["file"]: row for row in rows})
        content = {"classes": self.classes or [], "photos": list(self.rows.values())}
        self.out.put(INDEX, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
