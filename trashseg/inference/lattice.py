"""The permutohedral lattice: Gaussian filtering of many channels in any number of dimensions.

Adams, Baek, Davis: Fast High-Dimensional Filtering Using the Permutohedral
Lattice, Eurographics 2010. Every pixel's feature vector (position, or position
and colour) lies in a simplex of the lattice; filtering is splatting a pixel's
values onto its D + 1 corners, blurring along the D + 1 axes, and slicing back.

Three things make it quick. A corner is one 64-bit integer in which its
neighbours lie at constant distances, so hashing and finding neighbours are a
few instructions. A lattice is built once per photo and serves every iteration
and every class. The position lattice depends on the size alone and is kept.

N pixels, D features, M corners (corner 0 is a zero that stands for "no neighbour").
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trashseg.errors import InputError

BASES = {2: 2**31, 5: 7130}
"""Coordinates of corners lie within half of this, so that D of them fit 64 bits without mixing."""

HASH = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: Fibonacci hashing."""


class Lattice(NamedTuple):
    """Corners (N, D+1) uint32 and weights (N, D+1) float32 of each pixel, neighbours (D+1, M, 2) uint32.

    Weights hold the barycentric coordinate times one over the root of the
    pixel's own norm, which makes filtering symmetric and normalised. `ones`
    (N,) float32 is what filtering the value 1 gives.
    """

    corners: NDArray[np.uint32]
    weights: NDArray[np.float32]
    neighbours: NDArray[np.uint32]
    ones: NDArray[np.float32]


def scale_factors(dimensions: int) -> tuple[np.float32, ...]:
    """What features are multiplied by so that one standard deviation is one of the lattice's blur (page 5)."""
    deviation = np.sqrt(2 / 3) * (dimensions + 1)
    return tuple(np.float32(deviation / np.sqrt((i + 1) * (i + 2))) for i in range(dimensions))


def place_values(dimensions: int) -> tuple[np.int64, ...]:
    """The weight of each coordinate in a corner's key."""
    return tuple(np.int64(BASES[dimensions] ** i) for i in range(dimensions))


@njit(cache=True, nogil=True)
def find(table, key, shift):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The slot of `key` in an open-addressing table (slots, 2) of (key, corner), or the free one it would take."""
    mask = table.shape[0] - 1
    slot = np.int64((np.uint64(key) * HASH) >> np.uint64(shift))
    while table[slot, 1] != 0 and table[slot, 0] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def grown(table, shift):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The same entries in a table of four times the slots; `shift` is the new one."""
    larger = np.zeros((4 * table.shape[0], 2), np.int64)
    for old in range(table.shape[0]):
        if table[old, 1] != 0:
            slot = find(larger, table[old, 0], shift)
            larger[slot] = table[old]
    return larger


@njit(cache=True, nogil=True)
def build(features_ND, scale, places):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(corners, barycentric weights, neighbours) of every feature vector; `scale` and `places` have D entries."""
    d = len(scale)
    n_pixels = features_ND.shape[0]
    corners = np.empty((n_pixels, d + 1), np.uint32)
    weights = np.empty((n_pixels, d + 1), np.float32)
    shift = 48
    table = np.zeros((1 << (64 - shift), 2), np.int64)
    keys = np.zeros(1 << 15, np.int64)
    count = 1
    elevated, nearest = np.empty(d + 1, np.float32), np.empty(d + 1, np.float32)
    rank, at_rank = np.empty(d + 1, np.int64), np.empty(d + 1, np.int64)
    barycentric = np.empty(d + 2, np.float32)
    last_key, last_corner = np.zeros(d + 1, np.int64), np.zeros(d + 1, np.int64)
    one, side = np.float32(1), np.float32(d + 1)
    step = places[0]
    for i in range(1, d):
        step += places[i]

    for n in range(n_pixels):
        # the point on the hyperplane whose coordinates sum to 0 (page 5)
        tail = np.float32(0)
        for j in range(d, 0, -1):
            value = features_ND[n, j - 1] * scale[j - 1]
            elevated[j] = tail - np.float32(j) * value
            tail += value
        elevated[0] = tail
        # the nearest corner of remainder 0, and the order of the differences to it
        off_plane = np.int64(0)
        for i in range(d + 1):
            rounded = np.rint(elevated[i] * (one / side))
            nearest[i] = rounded * side
            off_plane += np.int64(rounded)
            rank[i] = 0
        for i in range(d):
            for j in range(i + 1, d + 1):
                if elevated[i] - nearest[i] < elevated[j] - nearest[j]:
                    rank[i] += 1
                else:
                    rank[j] += 1
        barycentric[:] = 0
        for i in range(d + 1):
            place = rank[i] + off_plane
            if place < 0:
                place += d + 1
                nearest[i] += side
            elif place > d:
                place -= d + 1
                nearest[i] -= side
            at_rank[place] = i
            difference = (elevated[i] - nearest[i]) * (one / side)
            barycentric[d - place] += difference
            barycentric[d - place + 1] -= difference
        barycentric[0] += one + barycentric[d + 1]
        # the corners: each is the one before, moved along one axis
        key = np.int64(0)
        for i in range(d):
            key += np.int64(nearest[i]) * places[i]
        for remainder in range(d + 1):
            if remainder > 0:
                axis = at_rank[d - remainder + 1]
                key += step
                if axis < d:
                    key -= (d + 1) * places[axis]
            if key != last_key[remainder] or last_corner[remainder] == 0:
                slot = find(table, key, shift)
                if table[slot, 1] == 0:
                    if count == keys.shape[0]:
                        longer = np.zeros(2 * count, np.int64)
                        longer[:count] = keys
                        keys = longer
                    table[slot, 0], table[slot, 1] = key, count
                    keys[count] = key
                    last_corner[remainder] = count
                    count += 1
                    if 2 * count > table.shape[0]:
                        shift -= 2
                        table = grown(table, shift)
                else:
                    last_corner[remainder] = table[slot, 1]
                last_key[remainder] = key
            corners[n, remainder] = last_corner[remainder]
            weights[n, remainder] = barycentric[remainder]

    neighbours = np.zeros((d + 1, count, 2), np.uint32)
    for j in range(d + 1):
        delta = -step
        if j < d:
            delta += (d + 1) * places[j]
        for corner in range(1, count):
            other = table[find(table, keys[corner] + delta, shift), 1]
            if other != 0:
                neighbours[j, corner, 0] = other
                neighbours[j, other, 1] = corner
    return corners, weights, neighbours


@njit(cache=True, nogil=True)
def filtered_ones(corners, weights, neighbours):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What filtering the value 1 gives at each pixel, (N,) float32."""
    n_pixels, sides = corners.shape
    values = np.zeros(neighbours.shape[1], np.float32)
    spare = np.zeros(neighbours.shape[1], np.float32)
    half, gain = np.float32(0.5), np.float32(1.0 / (1.0 + 2.0 ** (1 - sides)))
    for n in range(n_pixels):
        for j in range(sides):
            values[corners[n, j]] += weights[n, j]
    for j in range(sides):
        for m in range(1, values.shape[0]):
            spare[m] = values[m] + half * (values[neighbours[j, m, 0]] + values[neighbours[j, m, 1]])
        values, spare = spare, values
    result = np.zeros(n_pixels, np.float32)
    for n in range(n_pixels):
        for j in range(sides):
            result[n] += weights[n, j] * values[corners[n, j]]
        result[n] *= gain
    return result


def gain(dimensions: int) -> float:
    """What a slice is multiplied by, to undo the gain of splat, blur and slice (a constant of the method)."""
    return 1 / (1 + 2.0**-dimensions)


def check_reach(features_ND: NDArray[np.float32]) -> None:
    """Raise `InputError` where features (>= 0) span so many deviations that corners would not fit their 64 bits."""
    dimensions = features_ND.shape[1]
    spans = features_ND.max(0) * np.array(scale_factors(dimensions))
    reach = max(spans.sum(), (spans * np.arange(1, dimensions + 1)).max()) + 3 * dimensions
    if reach >= BASES[dimensions] / 2:
        raise InputError(
            f"the CRF's reach is too small for this photo: its features span {reach:.0f} lattice steps, "
            f"expected less than {BASES[dimensions] // 2}; raise bilateral_sxy or bilateral_srgb"
        )


def lattice(features_ND: NDArray[np.float32]) -> Lattice:
    """The normalised lattice of N feature vectors, in units of the Gaussian's standard deviation.

    D is 2 or 5. Raises `InputError` as `check_reach` does.
    """
    check_reach(features_ND)
    dimensions = features_ND.shape[1]
    corners, weights, neighbours = build(features_ND, scale_factors(dimensions), place_values(dimensions))
    weights /= np.sqrt(filtered_ones(corners, weights, neighbours) + np.float32(1e-20))[:, None]
    return Lattice(corners, weights, neighbours, filtered_ones(corners, weights, neighbours))


def positions(height: int, width: int, sxy: float) -> NDArray[np.float32]:
    """Features (H, W, 2): x and y in standard deviations of `sxy` pixels."""
    features_HW2 = np.empty((height, width, 2), np.float32)
    features_HW2[..., 0] = np.arange(width, dtype=np.float32) / np.float32(sxy)
    features_HW2[..., 1] = (np.arange(height, dtype=np.float32) / np.float32(sxy))[:, None]
    return features_HW2


@lru_cache(maxsize=4)
def position_lattice(height: int, width: int, sxy: float) -> Lattice:
    """The lattice of the smoothness kernel; the same for every photo of a size."""
    return lattice(positions(height, width, sxy).reshape(-1, 2))


def colour_features(image_HWC: NDArray[np.uint8], sxy: float, srgb: float) -> NDArray[np.float32]:
    """Features (N, 5): x, y, r, g, b in standard deviations of `sxy` pixels and `srgb` grey levels."""
    height, width, _ = image_HWC.shape
    colours_HWC = image_HWC.astype(np.float32) / np.float32(srgb)
    return np.concatenate([positions(height, width, sxy), colours_HWC], axis=-1).reshape(-1, 5)
