"""Comparing with a champion that was scored on other photos or folds: on the photos both have answered unseen.

Every out-of-fold answer is to a photo its network has not learned from,
however the photos were dealt to folds. So two pipelines compare fairly on the
photos both had, with the same label: what new labelled data brings shows
there. A version carries its counts per photo, keyed by the bytes of photo and
label, in `out_of_fold.npz`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg import paths
from trashseg.evaluation.intervals import compare
from trashseg.evaluation.selection import read_candidate, words
from trashseg.io import atomic, read_json

FILE = "out_of_fold.npz"
MIN_PHOTOS = 20
"""Fewer common photos say nothing."""


@dataclass(frozen=True)
class PhotoCounts:
    """Out-of-fold confusions (N, C, C), a key per photo and label (N,), and the groups drawn together (N,)."""

    keys: list[str]
    confusions: NDArray[np.int64]
    groups: list[str]

    def save(self, path: Path) -> None:
        """Write them, without pickles."""
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file, keys=np.array(self.keys), confusions=self.confusions, groups=np.array(self.groups)
            )

    @classmethod
    def load(cls, path: Path) -> "PhotoCounts":
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["keys"].tolist(), arrays["confusions"], arrays["groups"].tolist())


def _key(photo: Path, label: Path) -> str:
    total = hashlib.sha256()
    for path in (photo, label):
        with path.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()[:32]


def read_counts(round_id: str) -> PhotoCounts:
    """The counts of a finished round's final masks, from the working folder's artefacts."""
    candidate = read_candidate(paths.evaluate(round_id) / "oof", round_id, "miou")
    rows = read_json(paths.DATASET / "train_all.json")["images"]
    files = {int(row["id"]): paths.DATASET / "images" / row["file_name"] for row in rows}
    keys = [_key(files[int(i)], paths.MASKS / paths.mask_name(int(i))) for i in candidate.ids]
    return PhotoCounts(keys, candidate.confusions, candidate.groups)


def on_common_photos(present: PhotoCounts, new: PhotoCounts) -> tuple[bool, str]:
    """Whether `new` beats `present` on the photos both answered, and why, in words."""
    if present.confusions.shape[1:] != new.confusions.shape[1:]:
        return False, "the champion knows other classes: scores do not compare"
    place = {key: i for i, key in enumerate(present.keys)}
    pairs = [(place[key], i) for i, key in enumerate(new.keys) if key in place]
    if len(pairs) < MIN_PHOTOS:
        return False, f"the champion was scored on other photos ({len(pairs)} in common, {MIN_PHOTOS} are needed)"
    before, after = (np.array(indices) for indices in zip(*pairs, strict=True))
    groups = [new.groups[i] for i in after]
    found = compare(present.confusions[before], new.confusions[after], np.random.default_rng(0), groups)
    verb = "beats" if found.gain.value > 0 else "does not beat"
    return found.gain.value > 0, f"{verb} the champion on {len(pairs)} common photos, out of fold: {words(found)}"
