"""The probability store: what a network said of each image, one small file per image.

Lossy where it does not matter: the float32 planes of a 512x512 image in 11
classes take 11.5 MB, a file of this store a few percent of that. Classes that
reach 1 % nowhere in the image are left out, the others are kept in 256 equal
steps; reading divides by the sum, so what is read is a distribution again.
Neighbouring rows are alike, so each row is stored as its difference to the one
above, and zlib's run-length mode is then both its fastest and its smallest
(docs/decisions/probability-store.md has the figures). A file may also hold
what a single look saw before several were averaged: one more plane, of class
indices, which costs about a percent.

A file is whole or absent: written under a temporary name, renamed, and checked
by CRC-32 when read. No torch here: ensembles, CRF and scores read it too.

C classes, K classes kept, H height, W width.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from trashseg.errors import InputError
from trashseg.io import write_bytes

SUFFIX = ".probs"
MAGIC = b"TSP1"
LEVELS = 255
"""A probability p is stored as the nearest of 0/255 .. 255/255."""

DROP_BELOW = 0.01
"""A class whose probability is below this in every pixel of an image is left out of its file."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    `names` may be empty (unknown); `kept` are class indices, ascending;
    `single`: a plane of a single look's best classes comes last.
    """

    classes: int
    height: int
    width: int
    names: list[str]
    kept: list[int]
    single: bool = False


def drop_threshold(classes: int) -> float:
    """The level under which a class is left out: so low that every pixel keeps its best class."""
    return min(DROP_BELOW, 0.5 / classes)


def quantise(probabilities_CHW: NDArray[np.float32]) -> tuple[NDArray[np.uint8], list[int]]:
    """levels_KHW, uint8 in 0..255, of the classes that matter, and their indices.

    Raises `ValueError` for values outside [0, 1] (within 1e-3) and for NaN.
    """
    peaks_C = probabilities_CHW.reshape(len(probabilities_CHW), -1).max(1)
    low, high = float(probabilities_CHW.min()), float(peaks_C.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # NaN fails both
        raise ValueError(f"probabilities lie in [{low:g}, {high:g}], expected [0, 1]")
    kept = [int(index) for index in np.flatnonzero(peaks_C >= drop_threshold(len(peaks_C)))]
    levels_KHW = np.empty((len(kept), *probabilities_CHW.shape[1:]), np.uint8)
    for row_HW, index in zip(levels_KHW, kept, strict=True):
        row_HW[...] = np.clip(probabilities_CHW[index], 0, 1) * LEVELS + 0.5
    return levels_KHW, kept


def encode(planes_PHW: NDArray[np.uint8], header: Header) -> bytes:
    """A file's bytes: magic, CRC-32 of the rest, header length, header as JSON, deflated row differences."""
    differences = planes_PHW.copy()
    differences[:, 1:] -= planes_PHW[:, :-1]  # wraps modulo 256, as the sum in `summed` does
    packer = zlib_ng.compressobj(1, zlib_ng.DEFLATED, -15, 9, zlib_ng.Z_RLE)
    body = packer.compress(differences.data) + packer.flush()
    head = json.dumps(asdict(header), separators=(",", ":")).encode()
    content = struct.pack("<I", len(head)) + head + body
    return MAGIC + struct.pack("<I", zlib_ng.crc32(content)) + content


def decode(content: bytes, where: Path) -> tuple[Header, bytes]:
    """Header and packed planes of what `encode` made; `InputError` naming `where` for anything else."""
    if content[:4] != MAGIC or len(content) < 12:
        raise InputError(f"{where}: expected a probability file of trashseg, found {len(content)} other bytes")
    checksum, length = struct.unpack_from("<II", content, 4)
    if zlib_ng.crc32(content[8:]) != checksum:
        raise InputError(f"{where}: the checksum does not fit: the file is truncated or damaged; predict it again")
    return Header(**json.loads(content[12 : 12 + length])), content[12 + length :]


def unpacked(body: bytes, header: Header) -> NDArray[np.uint8]:
    """The row differences (P, H, W) that `encode` packed."""
    shape = (len(header.kept) + header.single, header.height, header.width)
    differences = zlib_ng.decompressobj(-15).decompress(body, math.prod(shape) + 1)
    return np.frombuffer(differences, np.uint8).reshape(shape)


def summed(differences_PHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The planes whose row differences these are."""
    return np.add.accumulate(differences_PHW, axis=1, dtype=np.uint8)


def normalised(levels_KHW: NDArray[np.uint8], header: Header) -> NDArray[np.float32]:
    """probabilities_CHW, float32, summing to 1 in each pixel; 0 for classes that were left out."""
    scale_HW = 1 / levels_KHW.sum(0, dtype=np.float32)
    probabilities_CHW = np.zeros((header.classes, header.height, header.width), np.float32)
    for index, plane_HW in zip(header.kept, levels_KHW, strict=True):
        np.multiply(plane_HW, scale_HW, out=probabilities_CHW[index])
    return probabilities_CHW


class ProbabilityStore:
    """A folder of probability files, one per image id.

    With `names` (the class names, in index order), writing records them and
    reading refuses a file of another class list. Threads may share a store.
    """

    def __init__(self, folder: Path, names: Sequence[str] = ()) -> None:
        self.folder = folder
        self.names = list(names)

    def path(self, image_id: int) -> Path:
        """Where an image's file lies."""
        return self.folder / f"{image_id}{SUFFIX}"

    def ids(self) -> list[int]:
        """Ids of all files there, ascending."""
        stems = (path.stem for path in self.folder.glob(f"*{SUFFIX}"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def write(self, image_id: int, probabilities_CHW: NDArray[np.float32]) -> None:
        """Keep an image's probabilities, each in [0, 1], summing to about 1 over the classes.

        What is read back differs by at most (1 + C) / 510, 0.024 of 11 classes,
        and what the classes left out held; the most seen was 0.016. Raises `ValueError` for NaN, for
        values outside [0, 1] and for another number of classes than `names`.
        """
        levels_KHW, kept = quantise(probabilities_CHW)
        self.write_levels(image_id, levels_KHW, kept, len(probabilities_CHW))

    def write_levels(
        self,
        image_id: int,
        levels_KHW: NDArray[np.uint8],
        kept: Sequence[int],
        classes: int,
        single_HW: NDArray[np.uint8] | None = None,
    ) -> None:
        """Keep what was quantised elsewhere (on a GPU): levels 0..255 of the classes `kept` of `classes`.

        `single_HW` are the best classes that a single look saw.
        """
        if self.names and len(self.names) != classes:
            raise ValueError(f"found probabilities of {classes} classes, expected {len(self.names)}")
        _, height, width = levels_KHW.shape
        header = Header(classes, height, width, self.names, list(kept), single_HW is not None)
        planes_PHW = levels_KHW if single_HW is None else np.concatenate([levels_KHW, single_HW[None]])
        write_bytes(self.path(image_id), encode(planes_PHW, header))

    def read(self, image_id: int) -> NDArray[np.float32]:
        """probabilities_CHW, float32, summing to 1 in each pixel.

        Raises `InputError` for a missing, truncated or foreign file, and for
        one of another class list.
        """
        return normalised(*self.read_levels(image_id))

    def read_levels(self, image_id: int) -> tuple[NDArray[np.uint8], Header]:
        """What the file holds as it is: levels_KHW and the header that says which classes they are."""
        differences_PHW, header = self._read(image_id)
        return summed(differences_PHW[: len(header.kept)]), header

    def read_both(self, image_id: int) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
        """What `read` gives, and mask_HW of a single look; None where the file does not hold it."""
        differences_PHW, header = self._read(image_id)
        probabilities_CHW = normalised(summed(differences_PHW[: len(header.kept)]), header)
        return probabilities_CHW, summed(differences_PHW[-1:])[0] if header.single else None

    def _read(self, image_id: int) -> tuple[NDArray[np.uint8], Header]:
        header, body = self._checked(image_id)
        return unpacked(body, header), header

    def _checked(self, image_id: int) -> tuple[Header, bytes]:
        path = self.path(image_id)
        try:
            header, body = decode(path.read_bytes(), path)
        except FileNotFoundError:
            raise InputError(f"{path}: no probabilities of image {image_id}; run `predict` first") from None
        if self.names and header.names and header.names != self.names:
            raise InputError(f"{path}: made for classes {_listed(header.names)}, expected {_listed(self.names)}")
        if self.names and header.classes != len(self.names):
            raise InputError(f"{path}: made for {header.classes} classes, expected {len(self.names)}")
        return header, body

    def check(self, image_id: int) -> Header:
        """What the image's file says of itself; an `InputError` as `read` raises it, without unpacking the planes."""
        return self._checked(image_id)[0]

    def holds(self, image_id: int) -> bool:
        """Whether the image's file is there, whole and of this class list; work that is done is not done again."""
        try:
            self.check(image_id)
        except InputError:
            return False
        return True


def mean_probabilities(
    stores: Sequence[ProbabilityStore], image_id: int, weights: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """The weighted mean over stores of one image's probabilities_CHW, summing to 1.

    `weights` are one per store, or (stores, C); None weighs all alike. One
    store is in memory at a time. Raises `InputError` where sizes differ.
    """
    weights_MC = np.ones((len(stores), 1)) if weights is None else np.asarray(weights).reshape(len(stores), -1)
    total_CHW: NDArray[np.float32] | None = None
    for store, weights_C in zip(stores, weights_MC, strict=True):
        if not weights_C.any():
            continue
        member_CHW = store.read(image_id)
        if total_CHW is not None and member_CHW.shape != total_CHW.shape:
            found, expected = member_CHW.shape, total_CHW.shape
            raise InputError(f"{store.path(image_id)}: probabilities of shape {found}, the other members' {expected}")
        member_CHW *= weights_C.astype(np.float32)[:, None, None]
        total_CHW = member_CHW if total_CHW is None else np.add(total_CHW, member_CHW, out=total_CHW)
    if total_CHW is None:
        raise InputError(f"image {image_id}: no member has a weight above 0")
    sums_HW = total_CHW.sum(0)
    total_CHW /= np.where(sums_HW > 0, sums_HW, 1)
    return total_CHW


def _listed(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names)})"
