"""The same mean field in torch, for devices: the lattice as sparse matrices, all pixels and classes at once.

Building the lattice is a sort instead of a hash table: corners' keys are made
for all pixels together, `unique` numbers them, and neighbours are found by
binary search among the sorted keys. Splat and slice are one sparse matrix
and its transpose; nothing is accumulated in random order, so a device gives
the same answer each time it is asked.

N pixels, D features, M corners, C classes.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trashseg.inference.crf import CrfParameters, unary_energy
from trashseg.inference.lattice import check_reach, colour_features, gain, place_values, positions, scale_factors


class DeviceLattice(NamedTuple):
    """Splat (M, N) and slice (N, M) as sparse matrices with normalised weights, neighbours (D+1, 2, M)."""

    splat: Tensor
    slice: Tensor
    neighbours: Tensor


def corner_keys(features_ND: Tensor) -> tuple[Tensor, Tensor]:
    """(keys (N, D+1) int64, barycentric weights (N, D+1) float32) of feature vectors."""
    count, d = features_ND.shape
    device = features_ND.device
    scaled_ND = features_ND * torch.tensor([float(s) for s in scale_factors(d)], device=device)
    # coordinate j is the sum of the scaled features from j on, less j times the one before
    tails = scaled_ND.flip(1).cumsum(1).flip(1)
    elevated = torch.cat([tails, torch.zeros(count, 1, device=device)], 1)
    elevated[:, 1:] -= scaled_ND * torch.arange(1, d + 1, device=device)
    rounded = torch.round(elevated / (d + 1))
    nearest = rounded * (d + 1)
    off_plane = rounded.sum(1, keepdim=True).long()
    difference = elevated - nearest
    # the rank of each coordinate: how many are larger, of equals the later one ranks higher
    larger = (difference[:, None, :] > difference[:, :, None]).long()
    equal = difference[:, None, :] == difference[:, :, None]
    earlier = torch.ones(d + 1, d + 1, device=device).tril(-1).bool()
    rank = larger.sum(2) + (equal & earlier).sum(2) + off_plane
    shift = (rank < 0).long() - (rank > d).long()
    rank = rank + shift * (d + 1)
    nearest = nearest + shift * (d + 1)
    difference = (elevated - nearest) / (d + 1)
    barycentric = torch.zeros(count, d + 2, device=device)
    barycentric.scatter_add_(1, d - rank, difference)
    barycentric.scatter_add_(1, d - rank + 1, -difference)
    barycentric[:, 0] += 1 + barycentric[:, d + 1]
    places = torch.tensor([int(p) for p in place_values(d)], device=device)
    base = (nearest[:, :d].long() * places).sum(1)
    wraps = [(places * (rank[:, :d] > d - remainder).long()).sum(1) for remainder in range(d + 1)]
    step = places.sum()
    keys = torch.stack([base + remainder * step - (d + 1) * wraps[remainder] for remainder in range(d + 1)], 1)
    return keys, barycentric[:, : d + 1]


def find_neighbours(keys_M: Tensor, d: int) -> Tensor:
    """(D+1, 2, M) int64: the corners beside each along each axis; M where there is none. `keys_M` is sorted."""
    places = torch.tensor([int(p) for p in place_values(d)] + [0], device=keys_M.device)
    found = []
    for axis in range(d + 1):
        delta = (d + 1) * places[axis] - places.sum()
        pair = []
        for wanted in (keys_M + delta, keys_M - delta):
            at = torch.searchsorted(keys_M, wanted).clamp_(max=len(keys_M) - 1)
            pair.append(torch.where(keys_M[at] == wanted, at, len(keys_M)))
        found.append(torch.stack(pair))
    return torch.stack(found)


def build(features_ND: Tensor) -> DeviceLattice:
    """The normalised lattice of N feature vectors on their device."""
    count, d = features_ND.shape
    keys, weights = corner_keys(features_ND)
    keys_M, corners = torch.unique(keys, return_inverse=True)
    neighbours = find_neighbours(keys_M, d)
    pixels = torch.arange(count, device=features_ND.device).repeat_interleave(d + 1)

    def matrices(values_ND1: Tensor) -> tuple[Tensor, Tensor]:
        values, size = values_ND1.flatten(), (len(keys_M), count)
        splat = torch.sparse_coo_tensor(torch.stack([corners.flatten(), pixels]), values, size)
        return splat.coalesce().to_sparse_csr(), splat.t().coalesce().to_sparse_csr()

    ones = torch.ones(count, 1, device=features_ND.device)
    norm = filtered(DeviceLattice(*matrices(weights), neighbours), ones)
    return DeviceLattice(*matrices(weights / torch.sqrt(norm + 1e-20)), neighbours)


def filtered(lattice: DeviceLattice, values_NC: Tensor) -> Tensor:
    """The Gaussian filter of values (N, C)."""
    values_MC = lattice.splat @ values_NC
    nothing = values_MC.new_zeros(1, values_MC.shape[1])
    for left, right in lattice.neighbours:
        around = torch.cat([values_MC, nothing])
        values_MC = values_MC + 0.5 * (around[left] + around[right])
    return (lattice.slice @ values_MC) * gain(len(lattice.neighbours) - 1)


def solve_on(
    probabilities_CHW: NDArray[np.float32],
    image_HWC: NDArray[np.uint8],
    parameters: CrfParameters,
    device: torch.device,
) -> NDArray[np.uint8]:
    """The most likely class of each pixel (H, W), an index into the C classes given, computed on `device`."""
    classes, height, width = probabilities_CHW.shape
    place_ND = positions(height, width, parameters.gaussian_sxy).reshape(-1, 2)
    colour_ND = colour_features(image_HWC, parameters.bilateral_sxy, parameters.bilateral_srgb)
    for features_ND in (place_ND, colour_ND):
        check_reach(features_ND)
    place, colour = (build(torch.from_numpy(features_ND).to(device)) for features_ND in (place_ND, colour_ND))
    energy_NC = torch.from_numpy(unary_energy(probabilities_CHW).reshape(classes, -1).T.copy()).to(device)
    scores_NC = -energy_NC
    for _ in range(parameters.iterations):
        marginals_NC = torch.softmax(scores_NC, 1)
        messages = parameters.gaussian_compat * filtered(place, marginals_NC)
        messages += parameters.bilateral_compat * filtered(colour, marginals_NC)
        scores_NC = messages - energy_NC
    labels: NDArray[np.uint8] = scores_NC.argmax(1).to(torch.uint8).cpu().numpy().reshape(height, width)
    return labels


@torch.inference_mode()
def solve(
    probabilities_CHW: NDArray[np.float32], image_HWC: NDArray[np.uint8], parameters: CrfParameters
) -> NDArray[np.uint8]:
    """`solve_on` the GPU where there is one, else on the CPU."""
    return solve_on(
        probabilities_CHW, image_HWC, parameters, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )
