"""Where photos come from and results go: a folder, or a bucket by its URL (`s3://bucket/photos`).

Both are few verbs over bytes, so that a flow need not know which it has.
Credentials and endpoint of a bucket are the environment's (`AWS_*`), never a
parameter: parameters are shown in Prefect's pages.
"""

import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from trashseg.errors import InputError
from trashseg.io import write_bytes

SETTLE_S = 2.0
"""A file of a folder that changed so lately may still be written to; the next run takes it."""


class Place(Protocol):
    """Files by name, a name being the path below the place."""

    def files(self) -> dict[str, str]:
        """Name -> a stamp that changes when the file does."""

    def fetch(self, name: str, path: Path) -> None:
        """Put a file of the place at `path`."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole: a reader never sees half of it."""

    def read(self, name: str) -> bytes | None:
        """A file's bytes, None where there is none."""


class Folder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist before something is put there."""
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def files(self) -> dict[str, str]:
        """Name -> size and time of change; hidden files are left out."""
        if not self.root.is_dir():
            raise InputError(f"{self.root}: no such folder")
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                facts = path.stat()
                if time.time() - facts.st_ctime > SETTLE_S:
                    found[name.as_posix()] = f"{facts.st_size}-{facts.st_mtime_ns}"
        return found

    def fetch(self, name: str, path: Path) -> None:
        """A link: nothing is copied."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to((self.root / name).absolute())

    def put(self, name: str, content: bytes) -> None:
        """Written to a temporary name and renamed."""
        write_bytes(self.root / name, content)

    def read(self, name: str) -> bytes | None:
        """A file's bytes, None where there is none."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None


class Bucket:
    """An object store that fsspec knows: S3 and what speaks like it."""

    def __init__(self, url: str) -> None:
        """`url` as `s3://bucket/prefix`. An unknown scheme, or one whose package is missing, is an `InputError`."""
        import fsspec

        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url}: {error} (s3:// comes with: pip install 'trashseg[cluster]')") from None
        self.url = url

    def __str__(self) -> str:
        return self.url

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def files(self) -> dict[str, str]:
        """Name -> size and ETag."""
        self._fs.invalidate_cache()
        try:
            found: Mapping[str, Mapping[str, Any]] = self._fs.find(self._root, detail=True)
        except (OSError, ValueError) as error:  # no such bucket, no access, no network
            raise InputError(f"{self.url}: {error or type(error).__name__}") from None
        start = len(self._root.rstrip("/")) + 1
        return {
            path[start:]: f"{facts['size']}-{facts.get('ETag') or facts.get('LastModified')}".replace('"', "")
            for path, facts in sorted(found.items())
            if facts.get("type") == "file"
        }

    def fetch(self, name: str, path: Path) -> None:
        """Download; a name that would leave the folder is refused by `safe`, before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fs.get_file(self._path(name), str(path))

    def put(self, name: str, content: bytes) -> None:
        """One request: an object appears whole."""
        self._fs.pipe_file(self._path(name), content)

    def read(self, name: str) -> bytes | None:
        """An object's bytes, None where there is none."""
        try:
            return bytes(self._fs.cat_file(self._path(name)))
        except FileNotFoundError:
            return None


def place(where: str) -> Place:
    """A bucket where `where` is a URL, else a folder."""
    return Bucket(where) if "://" in where else Folder(Path(where))


def safe(name: str) -> bool:
    """Whether a name stays below its place: keys of a bucket may hold anything."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name and bool(path.parts)
