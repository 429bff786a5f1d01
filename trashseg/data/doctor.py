"""The doctor: everything that is wrong, or odd, with a dataset, whatever it holds.

It goes on after each fault with what is still sound, and gives the same
findings the `dataset` stage stops at, all of them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from trashseg.data.coco_checks import SoundRows, check_and_keep
from trashseg.data.duplicates import near_duplicates
from trashseg.data.findings import Finding
from trashseg.data.image_files import Look, look_at
from trashseg.errors import InputError
from trashseg.io import read_json
from trashseg.parallel import parallel_map

KNOWN = ("train_all.json", "train.json", "val.json", "test.json", "test_labels.json")
MAX_JSON_BYTES = 4_000_000_000


@dataclass(frozen=True)
class Examined:
    """One COCO file: its sound rows, where its images lie and what they look like."""

    path: Path
    rows: SoundRows
    folder: Path
    looks: list[Look]


@dataclass(frozen=True)
class Pair:
    """Two images that show the same; `exact` where not a bit of their hashes differs."""

    first: tuple[str, str]
    second: tuple[str, str]
    bits: int
    across: bool


@dataclass
class Diagnosis:
    """All findings, and the figures behind the page."""

    findings: list[Finding] = field(default_factory=list)
    files: list[Examined] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def count(self, severity: str) -> int:
        """Findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "kinds": dict(sorted(Counter(finding.kind for finding in self.findings).items())),
            "files": {str(file.path): _figures(file) for file in self.files},
            "near_duplicates": [vars(pair) for pair in self.pairs],
            "findings": [finding.row() for finding in self.findings],
        }


def examine(dataset: Path, max_megapixels: float = 64.0, near_duplicate_bits: int = 48, jobs: int = 0) -> Diagnosis:
    """Examine a folder of COCO files, or one file. Raises `InputError` only where there is no file at all."""
    diagnosis = Diagnosis()
    for path in coco_files(dataset):
        diagnosis.findings += _examine_file(path, diagnosis, max_megapixels, jobs)
    diagnosis.pairs = list(_pairs(diagnosis.files, near_duplicate_bits))
    diagnosis.findings += [_pair_finding(pair) for pair in diagnosis.pairs]
    return diagnosis


def coco_files(dataset: Path) -> list[Path]:
    """The file itself; or the folder's files of the usual names; or all its json files."""
    if dataset.is_file():
        return [dataset]
    usual = [dataset / name for name in KNOWN if (dataset / name).is_file()]
    found = usual or (sorted(dataset.glob("*.json")) if dataset.is_dir() else [])
    if not found:
        raise InputError(f"{dataset}: no COCO file; expected a .json file, or a folder that holds some")
    return found


def _examine_file(path: Path, diagnosis: Diagnosis, max_megapixels: float, jobs: int) -> list[Finding]:
    if path.stat().st_size > MAX_JSON_BYTES:
        return [Finding("error", "too-large", str(path), "", f"has more than {MAX_JSON_BYTES} bytes")]
    try:
        value = read_json(path)
    except InputError as error:
        return [Finding("error", "unreadable", str(path), "", str(error).removeprefix(f"{path}: "))]
    findings, rows = check_and_keep(value, path, max_megapixels)
    folder = next((f for f in (path.parent, path.parent / "images") if _holds_any(f, rows)), path.parent)
    work = partial(look_at, folder=folder, where=str(path), max_megapixels=max_megapixels)
    looks = parallel_map(work, rows.images, jobs, f"looking at {path.name}")
    diagnosis.files.append(Examined(path, rows, folder, looks))
    return [*findings, *(finding for look in looks for finding in look.findings), *_oddities(path, rows)]


def _holds_any(folder: Path, rows: SoundRows) -> bool:
    return any((folder / row["file_name"]).is_file() for row in rows.images[:20])


def _oddities(path: Path, rows: SoundRows) -> Iterator[Finding]:
    """What is sound row by row, but odd as a whole. A file without labels (a test set) has no empty images."""
    if not rows.annotations:
        return
    labelled = {row["image_id"] for row in rows.annotations}
    for row in rows.images:
        if row["id"] not in labelled:
            yield Finding("warning", "no-annotation", str(path), f"image {row['id']}", "has no annotation")
    used = Counter(row["category_id"] for row in rows.annotations)
    for row in rows.categories:
        if not used[row["id"]]:
            yield Finding(
                "warning", "unused-category", str(path), f"category {row['id']}", f"{row['name']!r} is unused"
            )


def _pairs(files: list[Examined], max_bits: int) -> Iterator[Pair]:
    """Near-duplicates of all files together; the same file named by two JSON files is no duplicate."""
    seen: dict[Path, tuple[str, str, Look]] = {}
    for file in files:
        for row, look in zip(file.rows.images, file.looks, strict=True):
            if look.hash_bits is not None:
                place = (file.folder / row["file_name"]).absolute()
                seen.setdefault(place, (str(file.path), str(row["file_name"]), look))
    shown = list(seen.values())
    hashes, thumbnails, edges = (
        [getattr(look, name) for *_, look in shown] for name in ("hash_bits", "thumbnail", "edges")
    )
    for i, j, bits in near_duplicates(hashes, thumbnails, edges, max_bits):
        first, second = shown[i][:2], shown[j][:2]
        yield Pair(first, second, bits, first[0] != second[0])


def _pair_finding(pair: Pair) -> Finding:
    kind = "duplicate-across-files" if pair.across else "near-duplicate"
    other = f"{pair.second[1]} of {pair.second[0]}" if pair.across else pair.second[1]
    return Finding(
        "warning", kind, pair.first[0], pair.first[1], f"shows the same as {other} ({pair.bits} bits differ)"
    )


def _figures(file: Examined) -> dict[str, Any]:
    """Counts and areas per class."""
    areas = areas_by_class(file.rows)
    return {
        "images": len(file.rows.images),
        "annotations": len(file.rows.annotations),
        "classes": {
            name: {"annotations": len(found), "median_area_px": sorted(found)[len(found) // 2] if found else None}
            for name, found in areas.items()
        },
    }


def areas_by_class(rows: SoundRows) -> dict[str, list[float]]:
    """Area in px of each sound annotation, by category name."""
    names = {row["id"]: row["name"] for row in rows.categories}
    areas: dict[str, list[float]] = {name: [] for name in names.values()}
    for row in rows.annotations:
        areas[names[row["category_id"]]].append(float(row["area"]))
    return areas
