"""Which code and which data a run belongs to: git's revision, DVC's hash, a digest of files.

Read from git and from dvc.lock as text; nothing here imports dvc. A file from
outside a git checkout simply has no revision.
"""

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


def git_revision() -> str | None:
    """The commit of the working folder, with `+` where tracked files differ from it."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=20)
        diff = subprocess.run(["git", "diff", "--quiet", "HEAD"], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+" if diff.returncode else "")


def dvc_hash(path: Path, lock: Path = Path("dvc.lock")) -> str | None:
    """The hash dvc.lock records for an artefact (as some stage's output, else as a dependency)."""
    try:
        stages: dict[str, Any] = yaml.load(lock.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        entries = [
            entry
            for kind in ("outs", "deps")
            for stage in stages.get("stages", {}).values()
            for entry in stage.get(kind, [])
        ]
    except (OSError, yaml.YAMLError, AttributeError):
        return None
    return next((str(entry.get("md5")) for entry in entries if entry.get("path") == path.as_posix()), None)


def tracked_hash(path: Path) -> str | None:
    """DVC's hash of the artefact or of the data (`dvc add`) that a file or folder is, or lies in."""
    for place in (path, *path.parents):
        added = place.with_name(f"{place.name}.dvc") if place.name else None
        found = dvc_hash(place) or (None if added is None else _added_hash(added))
        if found is not None:
            return found
    return None


def _added_hash(path: Path) -> str | None:
    """What `photos.dvc` says of `photos`."""
    if not path.is_file():
        return None
    try:
        return str(yaml.safe_load(path.read_text())["outs"][0]["md5"])
    except (OSError, yaml.YAMLError, TypeError, KeyError, IndexError):
        return None


def digest(paths: Sequence[Path]) -> str:
    """SHA-256 (32 hex digits) of the names and contents of files, and of all files in folders."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            with file.open("rb") as content:
                total.update(f"{name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()[:32]
