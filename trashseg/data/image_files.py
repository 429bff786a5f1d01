"""Image files: is each the picture its COCO row says, and what does it look like (a perceptual hash)?

EXIF policy: pixels are taken as stored, never turned, for labels are drawn on
stored pixels; a file that asks to be turned gets a warning. The header is read
before the pixels, so that a decompression bomb is refused unopened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trashseg.data.findings import Finding, Severity
from trashseg.io import read_image

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
ORIENTATION = 0x0112
MAX_FILE_MEGABYTES = 512
TAIL_BYTES = 65_536
HASH_SIDE = 16
THUMBNAIL_PX = 32


@dataclass(frozen=True)
class Look:
    """What was found out about one image file. `hash_bits` is None where it could not be decoded."""

    image_id: int
    findings: tuple[Finding, ...]
    hash_bits: bytes | None
    """256 bits of low-frequency content."""
    thumbnail: bytes | None
    """32x32 grey pixels."""
    edges: bytes | None = None
    """32x32 strengths of edges, uint8: what stays when the light changes, and can be shifted."""


def look_at(row: dict[str, Any], folder: Path, where: str, max_megapixels: float) -> Look:
    """Check the file of a COCO image row and hash what it shows. Never raises for what a file may hold."""
    findings = [
        Finding(severity, kind, where, f"image {row['id']}", message)
        for severity, kind, message in _header_faults(row, folder, max_megapixels)
    ]
    if any(finding.severity == "error" for finding in findings):
        return Look(row["id"], tuple(findings), None, None)
    try:
        image_HWC = read_image(folder / row["file_name"])
    except (ValueError, cv2.error, OSError) as error:
        message = f"{folder / row['file_name']} cannot be decoded ({' '.join(str(error).split())[:120]})"
        findings.append(Finding("error", "undecodable", where, f"image {row['id']}", message))
        return Look(row["id"], tuple(findings), None, None)
    grey_HW = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY)
    small_HW = np.asarray(cv2.resize(grey_HW, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA), np.uint8)
    edges = edge_strength(grey_HW).tobytes()
    return Look(row["id"], tuple(findings), perceptual_hash(small_HW), small_HW.tobytes(), edges)


def _ends_early(path: Path) -> bool:
    """Whether a JPEG or PNG lacks its end mark; decoders fill what is missing with grey, silently."""
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = file.read()
    return (head[:2] == b"\xff\xd8" and b"\xff\xd9" not in tail) or (head[1:4] == b"PNG" and b"IEND" not in tail)


def perceptual_hash(small_HW: NDArray[np.uint8]) -> bytes:
    """256 bits of a 32x32 grey picture: which of its 16x16 lowest cosine terms lie above their median (pHash)."""
    terms = cv2.dct(small_HW.astype(np.float32))[:HASH_SIDE, :HASH_SIDE].ravel()
    return np.packbits(terms > np.median(terms[1:])).tobytes()


def edge_strength(grey_HW: NDArray[Any]) -> NDArray[np.uint8]:
    """Where a picture has edges, 32x32 uint8, the strongest 255."""
    side = 3 * THUMBNAIL_PX
    smooth = cv2.GaussianBlur(cv2.resize(grey_HW, (side, side), interpolation=cv2.INTER_AREA), (0, 0), 1)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    small = np.asarray(cv2.resize(np.sqrt(slope), (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA))
    return np.asarray(np.round(255 * small / max(float(small.max()), 1e-6)), np.uint8)


def _header_faults(row: dict[str, Any], folder: Path, max_megapixels: float) -> Iterator[tuple[Severity, str, str]]:
    path = folder / row["file_name"]
    if not path.is_file():
        yield "error", "missing-file", f"{path} is no file"
        return
    if not path.resolve().is_relative_to(folder.resolve()):
        yield "warning", "symlink", f"{path} is a link that leaves the images' folder"
    megabytes = path.stat().st_size / 1e6
    if megabytes > MAX_FILE_MEGABYTES:
        yield "error", "too-large", f"{path} has {megabytes:.0f} MB, expected at most {MAX_FILE_MEGABYTES}"
        return
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, TypeError) as error:
        yield "error", "undecodable", f"{path} cannot be decoded ({' '.join(str(error).split())[:120]})"
        return
    if width * height > max_megapixels * 1e6:
        yield "error", "too-large", f"{path} has {width} x {height} px, more than {max_megapixels:g} megapixels"
    elif (height, width) != (row["height"], row["width"]):
        yield "error", "size-mismatch", f"{path} is {width} x {height} px, expected {row['width']} x {row['height']}"
    if _ends_early(path):
        yield "warning", "truncated", f"{path} has no end mark: part of the picture may be missing"
    if turned not in (0, 1):
        yield "warning", "exif", f"{path} asks viewers to turn it (EXIF {turned}); its pixels are taken as stored"
