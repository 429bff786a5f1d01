"""Files: JSON, images and index masks, written whole or not at all.

Everything is written to a temporary name beside its place and renamed, so a
reader, or a run that is killed, never leaves half a file.
"""

import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from trashseg.errors import InputError

PNG_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE)
"""Four times faster than OpenCV's default filter, and smaller on index masks."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; missing parent folders are made."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; missing parent folders are made."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object, indent: int | None = 1) -> None:
    """Write JSON atomically, with keys in the order given; NaN is refused."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; a missing or broken one is an `InputError` that names it."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, found {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of a photo as it is stored, by its header: no pixel is decoded."""
    from PIL import Image, UnidentifiedImageError  # late, to keep --help quick

    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise InputError(f"{path}: no such image") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: too large to be opened: {error}") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be decoded: {error}") from None


def read_image(path: Path, upright: bool = False) -> NDArray[np.uint8]:
    """A photo as image_HWC, uint8, r, g, b.

    EXIF rotation is applied only where `upright`: labels are drawn on stored pixels.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such image")
    flags = cv2.IMREAD_COLOR_RGB if upright else cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image_HWC = cv2.imread(str(path), flags)
    except (cv2.error, MemoryError):
        raise InputError(f"{path}: too large to be decoded, or damaged") from None
    if image_HWC is None:
        raise InputError(f"{path}: cannot be decoded; expected a JPEG or PNG image")
    return np.asarray(image_HWC, np.uint8)


def write_image(path: Path, image_HWC: NDArray[np.uint8]) -> None:
    """Write an r, g, b uint8 image; the suffix (.png, .jpg) chooses the format."""
    write_bytes(path, encode_image(path.suffix, image_HWC))


def encode_image(suffix: str, image_HWC: NDArray[np.uint8]) -> bytes:
    """An r, g, b uint8 image as a file's bytes; the suffix (.png, .jpg) chooses the format."""
    parameters = PNG_FAST if suffix == ".png" else (cv2.IMWRITE_JPEG_QUALITY, 95)
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(image_HWC, cv2.COLOR_RGB2BGR), parameters)
    assert done, suffix
    return encoded.tobytes()


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib_ng.crc32(kind + content))


def encode_mask(mask_HW: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """An index mask as an 8-bit palette PNG that any viewer shows in colour.

    `palette` is (256, 3) r, g, b. OpenCV cannot write palettes, Pillow takes
    several times as long: a PNG of filter "none" is a few lines of zlib, whose
    strategy for runs makes it half as large in the same time. zlib-ng makes the
    same bytes as zlib here, five times as fast.
    """
    height, width = mask_HW.shape
    rows = np.zeros((height, width + 1), np.uint8)  # column 0: the filter of each row, 0 = none
    rows[:, 1:] = mask_HW
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    runs = zlib_ng.compressobj(1, strategy=zlib_ng.Z_RLE)
    content = runs.compress(rows.data) + runs.flush()
    chunks = [(b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, content) for kind, content in chunks)


def write_mask(path: Path, mask_HW: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
    """Write a uint8 index mask as a palette PNG."""
    write_bytes(path, encode_mask(mask_HW, palette))


def read_mask(path: Path) -> NDArray[np.uint8]:
    """An index mask as mask_HW, uint8, the values stored (not palette colours)."""
    # OpenCV turns palettes into colours, so Pillow reads these; imported late to keep --help quick.
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L"):
                raise InputError(f"{path}: expected an 8-bit index or grey mask, found mode {image.mode}")
            return np.asarray(image, np.uint8)
    except FileNotFoundError:
        raise InputError(f"{path}: no such mask") from None
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path}: cannot be decoded: {error}") from None
