"""Many files over HTTP: parallel, resumable, retried, and a report of what could not be had.

A finished file is never asked for again; a part of one is continued from where
it ended, if the server can. What is gone (404, 410) is not retried.
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trashseg.progress import track

BLOCK = 1 << 16
GONE = frozenset({400, 401, 403, 404, 405, 410, 451})
"""Answers that another try will not change."""
PART = ".part"


@dataclass(frozen=True)
class Download:
    """A file to be had: its address and its place."""

    url: str
    path: Path


@dataclass(frozen=True)
class Missing:
    """A file that could not be had, and why."""

    url: str
    path: Path
    reason: str


def download_all(
    downloads: Sequence[Download],
    workers: int = 8,
    tries: int = 4,
    timeout_s: float = 30.0,
    pause_s: float = 1.0,
    max_bytes: int = 100_000_000,
) -> list[Missing]:
    """Fetch what is not there yet; gives what is missing in the end, in the order given.

    `pause_s` is the wait before the second try; it doubles with each.
    """
    wanted = [download for download in downloads if not download.path.is_file()]
    fetch = partial(_fetch, tries=tries, timeout_s=timeout_s, pause_s=pause_s, max_bytes=max_bytes)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = list(track(pool.map(fetch, wanted), "downloading", total=len(wanted)))
    return [missing for missing in results if missing is not None]


def _fetch(download: Download, tries: int, timeout_s: float, pause_s: float, max_bytes: int) -> Missing | None:
    reason = "not tried"
    for attempt in range(tries):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            _fetch_once(download, timeout_s, max_bytes)
            return None
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            if error.code == 416:  # the part is longer than the file: it is of another one
                _part(download).unlink(missing_ok=True)
            if error.code in GONE:
                break
        except TooLargeError as error:
            reason = str(error)
            break
        except ValueError as error:  # no address at all, or of a scheme other than http
            reason = str(error)
            break
        except (OSError, http.client.HTTPException) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
    return Missing(download.url, download.path, reason)


class TooLargeError(Exception):
    """A file is larger than any photo."""


def _part(download: Download) -> Path:
    return download.path.with_name(download.path.name + PART)


def _fetch_once(download: Download, timeout_s: float, max_bytes: int) -> None:
    """One try: continue the part, check the length, rename."""
    if not download.url.startswith(("http://", "https://")):
        raise ValueError(f"{download.url[:80]!r} is no http address")
    part = _part(download)
    part.parent.mkdir(parents=True, exist_ok=True)
    had = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "trashseg", **({"Range": f"bytes={had}-"} if had else {})}
    request = urllib.request.Request(download.url, headers=headers)
    with urllib.request.urlopen(request, timeout=timeout_s) as response:
        if response.status != 206:
            had = 0
        length = response.headers.get("Content-Length")
        total = had + int(length) if length is not None and length.isdigit() else None
        if (total or 0) > max_bytes:
            raise TooLargeError(f"has {total} bytes, expected at most {max_bytes}")
        with part.open("ab" if had else "wb") as file:
            while block := response.read(BLOCK):
                had += len(block)
                if had > max_bytes:
                    part.unlink()
                    raise TooLargeError(f"has more than {max_bytes} bytes")
                file.write(block)
    if total is not None and had != total:
        raise OSError(f"ended after {had} of {total} bytes")
    part.replace(download.path)
