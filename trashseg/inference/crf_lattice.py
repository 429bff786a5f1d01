"""The fast engine: dense-CRF mean field on our own lattice, compiled by numba.

The same arithmetic as `pydensecrf`, arranged for speed. All classes of a
corner lie side by side in groups of four, and slicing, normalising and
splatting a pixel are one pass that reads its corners once. Marginals sum to 1
and filtering is linear, so the last class is what the others leave of the
filtered 1 and is not filtered itself. A pixel that is decided and has stopped moving is frozen: its splat is
kept and not computed again; in the last step every pixel is sliced once more,
so that the answer of a frozen pixel still follows its neighbours. No lock is
held while it runs: photos are spread over threads.

N pixels, E corners of each in both lattices (3 + 6), M corners in all, K: all
classes but the last, padded to a multiple of 4.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trashseg.inference.crf import FLOOR, CrfParameters, unary_energy
from trashseg.inference.lattice import Lattice, colour_features, gain, lattice, position_lattice

SETTLED = 5e-3
SURE = 0.99
"""A pixel is frozen when no class's marginal moved by more than `SETTLED` in a step and one is at least `SURE`."""

LANES = 4
NEVER = 1e4
"""Energy of the classes that pad a group: exp(-NEVER) is 0."""


@njit(cache=True, nogil=True, fastmath=True)
def exp(x):  # type: ignore[no-untyped-def]  # pragma: no cover
    """e**x for x <= 0 in float32, within 2 units in the last place (Cephes' expf), in a form compilers vectorise."""
    x = max(x, np.float32(-87.0))
    whole = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    rest = x - whole * np.float32(0.693359375) - whole * np.float32(-2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * rest + np.float32(1.3981999507e-3)
    y = y * rest + np.float32(8.3334519073e-3)
    y = y * rest + np.float32(4.1665795894e-2)
    y = y * rest + np.float32(1.6666665459e-1)
    y = y * rest + np.float32(5.0000001201e-1)
    y = y * rest * rest + rest + np.float32(1)
    return y * np.int32((np.int32(whole) + 127) << 23).view(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def sliced(values, corners, weights, n, classes, result):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The weighted values at pixel n's corners, into `result` (K,); `values` is (M * K,)."""
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for group in range(0, classes, LANES):
        g = np.uint64(group)
        a = b = c = d = np.float32(0)
        for j in range(corners.shape[1]):
            weight = weights[n, j]
            at = np.uint64(corners[n, j]) * np.uint64(classes) + g
            a += weight * values[at]
            b += weight * values[at + one]
            c += weight * values[at + two]
            d += weight * values[at + three]
        result[g] = a
        result[g + one] = b
        result[g + two] = c
        result[g + three] = d


@njit(cache=True, nogil=True, fastmath=True)
def splatted(values, corners, weights, n, classes, marginals):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add pixel n's marginals (K,) to the values (M * K,) at its corners."""
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for j in range(corners.shape[1]):
        weight = weights[n, j]
        for group in range(0, classes, LANES):
            g = np.uint64(group)
            at = np.uint64(corners[n, j]) * np.uint64(classes) + g
            values[at] += weight * marginals[g]
            values[at + one] += weight * marginals[g + one]
            values[at + two] += weight * marginals[g + two]
            values[at + three] += weight * marginals[g + three]


@njit(cache=True, nogil=True, fastmath=True)
def blurred(values, spare, neighbours, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """(values blurred along every axis, the other array); both (M * K,), corner 0 stays zero."""
    half, one, two, three = np.float32(0.5), np.uint64(1), np.uint64(2), np.uint64(3)
    for axis in range(neighbours.shape[0]):
        for m in range(1, neighbours.shape[1]):
            for group in range(0, classes, LANES):
                g = np.uint64(group)
                at = np.uint64(m) * np.uint64(classes) + g
                left = np.uint64(neighbours[axis, m, 0]) * np.uint64(classes) + g
                right = np.uint64(neighbours[axis, m, 1]) * np.uint64(classes) + g
                a = values[at] + half * (values[left] + values[right])
                b = values[at + one] + half * (values[left + one] + values[right + one])
                c = values[at + two] + half * (values[left + two] + values[right + two])
                d = values[at + three] + half * (values[left + three] + values[right + three])
                spare[at] = a
                spare[at + one] = b
                spare[at + two] = c
                spare[at + three] = d
        values, spare = spare, values
    return values, spare


@njit(cache=True, nogil=True, fastmath=True)
def scored(energy_NK, n, scores):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Turn slices (K,) into scores above the last class's, in place: see `relative_energy`."""
    total = np.float32(0)
    for k in range(scores.shape[0]):
        total += scores[k]
    for k in range(scores.shape[0]):
        scores[k] += total - energy_NK[n, k]


@njit(cache=True, nogil=True, fastmath=True)
def normalised(scores):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Marginals of the K classes in place, from scores above the last class's, which is 0."""
    top = np.float32(0)
    for k in range(scores.shape[0]):
        top = max(top, scores[k])
    total = exp(-top)
    for k in range(scores.shape[0]):
        scores[k] = exp(scores[k] - top)
        total += scores[k]
    for k in range(scores.shape[0]):
        scores[k] /= total


@njit(cache=True, nogil=True, fastmath=True)
def swept(  # type: ignore[no-untyped-def]  # pragma: no cover
    active, marginals_NK, energy_NK, corners, weights, values, fresh, kept, settled, sure
):
    """One mean-field step of the pixels in `active`; returns those that are not frozen after it.

    Slices `values`, updates `marginals_NK`, adds new splats to `fresh`, and
    those of pixels that freeze to `kept` too.
    """
    classes = energy_NK.shape[1]
    scores = np.empty(classes, np.float32)
    still = 0
    for index in range(active.shape[0]):
        n = active[index]
        sliced(values, corners, weights, n, classes, scores)
        scored(energy_NK, n, scores)
        normalised(scores)
        moved = top = np.float32(0)
        rest = np.float32(1)
        for k in range(classes):
            moved = max(moved, abs(scores[k] - marginals_NK[n, k]))
            marginals_NK[n, k] = scores[k]
            top = max(top, scores[k])
            rest -= scores[k]
        splatted(fresh, corners, weights, n, classes, scores)
        if moved > settled or max(top, rest) < sure:
            active[still] = n
            still += 1
        else:
            splatted(kept, corners, weights, n, classes, scores)
    return active[:still]


@njit(cache=True, nogil=True, fastmath=True)
def splat_all(marginals_NK, corners, weights, values):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add every pixel's marginals to `values`."""
    for n in range(marginals_NK.shape[0]):
        splatted(values, corners, weights, n, marginals_NK.shape[1], marginals_NK[n])


@njit(cache=True, nogil=True, fastmath=True)
def winners(energy_NK, corners, weights, values):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The class with the highest score at each pixel (N,) uint8, of equals the first; K stands for the last class."""
    classes = energy_NK.shape[1]
    scores = np.empty(classes, np.float32)
    labels = np.empty(energy_NK.shape[0], np.uint8)
    for n in range(energy_NK.shape[0]):
        sliced(values, corners, weights, n, classes, scores)
        scored(energy_NK, n, scores)
        best, top = classes, np.float32(0)
        for k in range(classes - 1, -1, -1):
            if scores[k] >= top:
                best, top = k, scores[k]
        labels[n] = best
    return labels


def joined(
    place: Lattice, colour: Lattice, parameters: CrfParameters
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """(corners, weights) (N, E) of both lattices side by side; colour's corners come after place's.

    The root of each kernel's weight and gain goes into its weights, once for
    the splat and once for the slice.
    """
    corners = np.concatenate([place.corners, colour.corners + np.uint32(place.neighbours.shape[1])], axis=1)
    roots = np.sqrt([parameters.gaussian_compat * gain(2), parameters.bilateral_compat * gain(5)]).astype(np.float32)
    return corners, np.concatenate([place.weights * roots[0], colour.weights * roots[1]], axis=1)


def mean_field(
    marginals_NK: NDArray[np.float32],
    energy_NK: NDArray[np.float32],
    place: Lattice,
    colour: Lattice,
    parameters: CrfParameters,
) -> NDArray[np.uint8]:
    """The winning class (N,) after the mean-field steps, K for the last class; `marginals_NK` is overwritten."""
    corners, weights = joined(place, colour, parameters)
    classes = energy_NK.shape[1]
    border = place.neighbours.shape[1] * classes
    kept = np.zeros(border + colour.neighbours.shape[1] * classes, np.float32)
    values, fresh = np.zeros_like(kept), np.zeros_like(kept)
    active = np.arange(len(energy_NK), dtype=np.uint32)
    splat_all(marginals_NK, corners, weights, fresh)
    for step in range(parameters.iterations):
        if step:
            fresh[:] = kept
            active = swept(
                active,
                marginals_NK,
                energy_NK,
                corners,
                weights,
                values,
                fresh,
                kept,
                np.float32(SETTLED),
                np.float32(SURE),
            )
        for part, table in ((slice(0, border), place.neighbours), (slice(border, None), colour.neighbours)):
            filtered, _ = blurred(fresh[part], values[part], table, classes)
            if not np.shares_memory(filtered, values):
                values[part] = filtered
    labels_N: NDArray[np.uint8] = winners(energy_NK, corners, weights, values)
    return labels_N


def relative_energy(
    probabilities_CHW: NDArray[np.float32], place: Lattice, colour: Lattice, parameters: CrfParameters
) -> NDArray[np.float32]:
    """Energy (N, K) of each class but the last, above the last one's; padding classes never win.

    A class's score is -E_k + F_k with F the weighted slices, the last one's is
    -E + (T - sum of F), T the weighted filtered ones. Their difference is
    -(E_k - E + T) + F_k + sum of F: the bracket is what this gives.
    """
    classes = len(probabilities_CHW)
    energy_CN = unary_energy(probabilities_CHW).reshape(classes, -1)
    total_N = energy_CN[-1] - parameters.gaussian_compat * place.ones - parameters.bilateral_compat * colour.ones
    relative_NK = np.full((energy_CN.shape[1], -(-(classes - 1) // LANES) * LANES), NEVER, np.float32)
    for index in range(classes - 1):
        np.subtract(energy_CN[index], total_N, out=relative_NK[:, index])
    return relative_NK


def start(probabilities_CHW: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Marginals (N, width) of the unary term alone, without the last class; padding is 0."""
    classes = len(probabilities_CHW)
    likely_CN = np.maximum(probabilities_CHW, np.float32(FLOOR)).reshape(classes, -1)
    scale_N = 1 / likely_CN.sum(0)
    marginals_NK = np.zeros((likely_CN.shape[1], width), np.float32)
    for index in range(classes - 1):
        np.multiply(likely_CN[index], scale_N, out=marginals_NK[:, index])
    return marginals_NK


def solve(
    probabilities_CHW: NDArray[np.float32], image_HWC: NDArray[np.uint8], parameters: CrfParameters
) -> NDArray[np.uint8]:
    """The most likely class of each pixel (H, W), an index into the C >= 2 classes given."""
    classes, height, width = probabilities_CHW.shape
    place = position_lattice(height, width, parameters.gaussian_sxy)
    colour = lattice(colour_features(image_HWC, parameters.bilateral_sxy, parameters.bilateral_srgb))
    energy_NK = relative_energy(probabilities_CHW, place, colour, parameters)
    labels_N = mean_field(start(probabilities_CHW, energy_NK.shape[1]), energy_NK, place, colour, parameters)
    labels_HW: NDArray[np.uint8] = np.minimum(labels_N, classes - 1).reshape(height, width)
    return labels_HW
