"""Where every derived image comes from, and the refusal to train on what leaks.

A derived set (oversampled, pasted, pseudo-labelled) carries `lineage.json`:
for each of its images the ids of the labelled images whose pixels or labels
went into it. Training refuses a set whose lineage touches its validation fold
or a near-duplicate group of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trashseg.errors import InputError
from trashseg.io import read_json, write_json


@dataclass(frozen=True)
class Lineage:
    """A derived set's fold and, per derived image id, its source image ids."""

    fold: int
    sources: Mapping[int, tuple[int, ...]]


def write_lineage(path: Path, lineage: Lineage) -> None:
    """Write `lineage.json`: {"fold", "images": {id: [source ids]}}."""
    images = {str(image): list(sources) for image, sources in sorted(lineage.sources.items())}
    write_json(path, {"fold": lineage.fold, "images": images})


def read_lineage(path: Path) -> Lineage:
    """Read what `write_lineage` wrote."""
    value = read_json(path)
    try:
        sources = {int(image): tuple(int(s) for s in ids) for image, ids in value["images"].items()}
        return Lineage(int(value["fold"]), sources)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise InputError(f"{path}: expected {{fold, images: {{id: [source ids]}}}}") from None


def refuse_leaks(
    lineage: Lineage, path: Path, fold: int, validation_ids: set[int], groups: Mapping[int, object]
) -> None:
    """Raise `InputError` where a set made for training touches its validation fold.

    `groups` maps each labelled image id to its near-duplicate group (any
    hashable; images without one may be absent). `path` names the set in the
    message.
    """
    if lineage.fold != fold:
        raise InputError(f"{path}: made for fold {lineage.fold}, expected fold {fold}")
    held_out = {groups[image] for image in validation_ids if image in groups}
    for image, sources in lineage.sources.items():
        for source in sources:
            if source in validation_ids:
                raise InputError(f"{path}: image {image} is derived from image {source} of validation fold {fold}")
            if source in groups and groups[source] in held_out:
                raise InputError(
                    f"{path}: image {image} is derived from image {source}, "
                    f"a near-duplicate (group {groups[source]!r}) of validation fold {fold}"
                )
