"""What `trashseg oversample` and `trashseg copy-paste` do first: read the user's file, check the flags."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from trashseg.config import Section, parse
from trashseg.data.own_labels import read_own_labels
from trashseg.data.synthetic_stages import Labelled
from trashseg.errors import InputError

S = TypeVar("S", bound=Section)


def settings(model: type[S], flags: Mapping[str, object], name: str) -> S:
    """Flags as the section of params.yaml they are; a wrong one is an `InputError` that names it."""
    return parse(model, dict(flags), name, Path("command line"))


def labelled_files(json: Path, images: Path, out: Path, ignore: tuple[str, ...], fold: int) -> Labelled:
    """The images of a user's COCO file; `out` must be new, empty, or a set that these verbs made."""
    if out.exists() and not (out.is_dir() and ((out / "lineage.json").is_file() or not any(out.iterdir()))):
        raise InputError(f"{out}: holds other files, expected a new folder, or one with a set and lineage.json")
    labels = read_own_labels(json, ignore)
    return Labelled(
        files=labels.scenes(images),
        classes=labels.classes,
        taken_ids=[row["id"] for row in labels.coco.images],
        fold=fold,
        out=out,
    )
