"""Near-duplicates, and the groups that a split must keep together.

Two pictures are near-duplicates when few bits of their perceptual hashes
differ and their thumbnails agree (the same picture, scaled, compressed or
lighter), or when the edges of one, moved a little, lie on those of the other
(the same scene, the camera moved). Thresholds were set on photos: no false
pair among 514, where unrelated ones differ in 78 bits or more.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
MIN_LOOK = 0.8
"""Correlation of two near-duplicates' thumbnails, after taking out brightness and contrast."""
MIN_EDGES = 0.94
"""Correlation of their edges at the best shift."""
MAX_SHIFT = 2
"""Cells of 32 a picture may be shifted by: 6 % of its side."""
MAX_MOVED_IMAGES = 20_000
"""Edges of all pairs are compared up to here; beyond, hashes alone: the time grows with the square."""
ENOUGH_FOR_A_MEAN = 50


def near_duplicates(
    hashes: Sequence[bytes], thumbnails: Sequence[bytes], edges: Sequence[bytes], max_bits: int
) -> list[tuple[int, int, int]]:
    """Pairs (i, j, differing bits), i < j, of near-duplicates among pictures given by their `Look`s' fields.

    `max_bits` is how much hashes may differ; -1 finds nothing.
    """
    if max_bits < 0 or len(hashes) < 2:
        return []
    words = np.frombuffer(b"".join(hashes), np.uint64).reshape(len(hashes), -1)
    looks = _normalised(_grids(thumbnails))
    found = {(i, j) for i, j in _close(words, max_bits) if float(looks[i] @ looks[j]) >= MIN_LOOK}
    if len(hashes) <= MAX_MOVED_IMAGES:
        found.update(_moved(_grids(edges)))
    return [(i, j, int(np.bitwise_count(words[i] ^ words[j]).sum())) for i, j in sorted(found)]


def _grids(pictures: Sequence[bytes]) -> NDArray[np.float32]:
    side = round(len(pictures[0]) ** 0.5)
    return np.frombuffer(b"".join(pictures), np.uint8).reshape(len(pictures), side, side).astype(np.float32)


def _normalised(grids: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of mean 0 and length 1, so that a product is a correlation; a blank picture only matches blanks."""
    rows = grids.reshape(len(grids), -1)
    rows = rows - rows.mean(1, keepdims=True)
    norms = np.sqrt((rows**2).sum(1, keepdims=True))
    return np.asarray(np.where(norms > 1e-3, rows / np.maximum(norms, 1e-3), 1 / np.sqrt(rows.shape[1])), np.float32)


def _moved(edges: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Pairs whose edges agree at some shift. What all pictures share (letterbox bars) is taken out first."""
    busy = np.flatnonzero(edges.std((1, 2)) > 1)
    grids = edges[busy] - (edges[busy].mean(0) if len(busy) >= ENOUGH_FOR_A_MEAN else 0)
    inner = grids.shape[1] - 2 * MAX_SHIFT
    span = range(2 * MAX_SHIFT + 1)
    still = _normalised(grids[:, MAX_SHIFT : MAX_SHIFT + inner, MAX_SHIFT : MAX_SHIFT + inner])
    for top in range(0, len(busy), BLOCK):
        moved = [_normalised(grids[top : top + BLOCK, y : y + inner, x : x + inner]) for y in span for x in span]
        for left in range(0, len(busy), BLOCK):
            best: NDArray[Any] = np.max([rows @ still[left : left + BLOCK].T for rows in moved], axis=0)
            for i, j in zip(*np.nonzero(best >= MIN_EDGES), strict=True):
                if top + i != left + j:
                    yield _ordered(int(busy[top + i]), int(busy[left + j]))


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _close(words: NDArray[np.uint64], max_bits: int) -> Iterator[tuple[int, int]]:
    """All pairs, a block of rows against a block of columns at a time: memory stays flat."""
    for top in range(0, len(words), BLOCK):
        for left in range(top, len(words), BLOCK):
            rows, columns = words[top : top + BLOCK], words[left : left + BLOCK]
            bits = np.zeros((len(rows), len(columns)), np.uint16)
            for word in range(words.shape[1]):
                bits += np.bitwise_count(rows[:, None, word] ^ columns[None, :, word])
            for i, j in zip(*np.nonzero(bits <= max_bits), strict=True):
                if top + i < left + j:
                    yield int(top + i), int(left + j)


def joined_groups(keys: Mapping[int, Hashable | None], pairs: Iterable[tuple[int, int]]) -> dict[int, str]:
    """A group name per image id: images with equal keys (None: no key) or linked by a pair share one.

    A group is named by its smallest image id.
    """
    parent = {image: image for image in keys}

    def root(image: int) -> int:
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    first: dict[Hashable, int] = {}
    same_key = [(image, first.setdefault(key, image)) for image, key in keys.items() if key is not None]
    for a, b in [*same_key, *pairs]:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {image: str(root(image)) for image in keys}
