"""How much memory a training will need, without using it.

The network runs once on torch's `meta` device, where tensors have shapes and
no contents, and what autograd would keep for the backward pass is counted.
"""

import copy

import torch

from trashseg.models.networks import SegmentationNetwork

BYTES_PER_PARAMETER = 16
"""float32: the weight, its gradient, and the optimiser's two moments."""


def saved_bytes(network: SegmentationNetwork, size: tuple[int, int], batch_size: int) -> int:
    """Bytes that one step's forward pass keeps for the backward pass, in float32, each storage counted once."""
    network = copy.deepcopy(network).to("meta").train()
    own = {tensor.untyped_storage()._cdata for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, torch.Tensor] = {}  # holding the tensors keeps their storages' addresses unique

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in own:
            kept[place] = tensor
        return tensor

    image_BCHW = torch.empty(batch_size, 3, *size, dtype=torch.uint8, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits_BCHW = network(image_BCHW)
    logits = 3 * logits_BCHW.numel() * 4  # the loss keeps the logits and their probabilities, and makes a gradient
    sizes = [int(tensor.untyped_storage().nbytes()) for tensor in kept.values()]
    return int(logits + sum(sizes))
