"""A network as one ONNX file: photos in, probabilities out, for any size.

The graph is complete: uint8 r, g, b pixels as decoders give them, normalisation
and softmax inside. Height and width may be any multiples of the network's
stride. What the file answers is compared with torch in onnxruntime.

B batch, C classes or colours, H height, W width.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trashseg.errors import InputError
from trashseg.io import atomic
from trashseg.models.networks import SegmentationNetwork

INPUT, OUTPUT = "image", "probabilities"


class Answering(nn.Module):
    """image_BHWC uint8 -> probabilities_BCHW float32, or logits_BCHW without the softmax."""

    def __init__(self, network: SegmentationNetwork, softmax: bool = True) -> None:
        super().__init__()
        self.network = network
        self.softmax = softmax

    def forward(self, image_BHWC: Tensor) -> Tensor:
        logits_BCHW: Tensor = self.network(image_BHWC.permute(0, 3, 1, 2))
        return logits_BCHW.softmax(1) if self.softmax else logits_BCHW


@dataclass(frozen=True)
class Parity:
    """How an ONNX file compares with torch: largest difference of a probability, share of equal pixels, latency."""

    largest_difference: float
    equal_pixels: float
    onnx_ms: float
    torch_ms: float
    sizes: tuple[tuple[int, int, int], ...]


def export_onnx(
    network: SegmentationNetwork, path: Path, size: tuple[int, int], opset: int, softmax: bool = True
) -> None:
    """Write the network as ONNX; batch, height and width stay open. `size` is only what it is traced with."""
    answering = Answering(
        network.cpu(), softmax
    ).eval()  # the exporter puts a module back to training if it found it so
    example_BHWC = torch.zeros((2, *size, 3), dtype=torch.uint8)
    with atomic(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            answering,
            (example_BHWC,),
            str(temporary),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "B", 1: "H", 2: "W"}, OUTPUT: {0: "B", 2: "H", 3: "W"}},
            opset_version=opset,
            dynamo=False,
        )


def export_checked(
    network: SegmentationNetwork,
    path: Path,
    size: tuple[int, int],
    opset: int,
    batches_BHWC: Sequence[NDArray[np.uint8]],
    tolerance: float,
    runs: int = 5,
) -> Parity:
    """Export, compare, and only then keep the file; `InputError` where it answers otherwise than torch."""
    with atomic(path) as temporary:
        export_onnx(network, temporary, size, opset)
        parity = compare(network, temporary, batches_BHWC, runs)
        if not parity.largest_difference <= tolerance:  # NaN, too
            raise InputError(
                f"{path}: probabilities differ from torch's by {parity.largest_difference:.2g}, "
                f"expected at most {tolerance:g} (export.tolerance)"
            )
    return parity


def noise(size: tuple[int, int], stride: int) -> list[NDArray[np.uint8]]:
    """Batches of random pixels: one of `size`, and two of another size."""
    rng = np.random.default_rng(0)
    shapes = [(1, *size, 3), (2, size[0] + stride, size[1] + 2 * stride, 3)]
    return [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


def session(path: Path, threads: int = 0) -> Any:
    """An onnxruntime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own types for broken files
        raise InputError(f"{path}: cannot be run by onnxruntime: {str(error).splitlines()[0]}") from None


def compare(network: SegmentationNetwork, path: Path, batches_BHWC: Sequence[NDArray[np.uint8]], runs: int) -> Parity:
    """Both engines on the same batches (sizes may differ), and the median time of the first batch over `runs`."""
    answering = Answering(network.cpu().eval())
    runtime = session(path)
    differences, equal, sizes = [], [], []
    with torch.inference_mode():
        for image_BHWC in batches_BHWC:
            expected_BCHW = answering(torch.from_numpy(image_BHWC)).numpy()
            found_BCHW = runtime.run([OUTPUT], {INPUT: image_BHWC})[0]
            differences.append(float(np.abs(found_BCHW - expected_BCHW).max()))
            equal.append(float((found_BCHW.argmax(1) == expected_BCHW.argmax(1)).mean()))
            sizes.append((len(image_BHWC), image_BHWC.shape[1], image_BHWC.shape[2]))
        first = torch.from_numpy(batches_BHWC[0])
        torch_ms = _median_ms(lambda: answering(first), runs)
    onnx_ms = _median_ms(lambda: runtime.run([OUTPUT], {INPUT: batches_BHWC[0]}), runs)
    return Parity(max(differences), min(equal), onnx_ms, torch_ms, tuple(sizes))


def _median_ms(action: Any, runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))
