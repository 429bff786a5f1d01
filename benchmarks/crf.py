"""`crf`: seconds a photo (512x512, 11 classes), beside a plain pydensecrf loop, and how many pixels agree.

plain: pydensecrf on all 11 classes, one photo after the other.
dropped: the same on the classes that can win.
ours: `refined_mask` with the lattice engine, photos on threads.
torch: the torch form, on a GPU where there is one (skipped on a CPU unless asked for).
"by CPU" compares processor time, which other work on the machine does not move.
All in one process after one warm-up photo, so that compiling is not counted; it is printed.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.soft_labels import soft_photos
from trashseg.inference.crf import CrfParameters, argmax, contenders, refined_mask
from trashseg.inference.crf_engines import engine
from trashseg.inference.workers import each
from trashseg.parallel import cores

REAL = Path(os.environ.get("TRASHSEG_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))

Pair = tuple[NDArray[np.float32], NDArray[np.uint8]]


def timed(
    function: Callable[[Pair], NDArray[np.uint8]], pairs: Sequence[Pair], workers: int
) -> tuple[float, float, list[NDArray[np.uint8]]]:
    """(seconds a photo on the clock, seconds of CPU, the masks)."""
    start, cpu = time.perf_counter(), time.process_time()
    masks = list(each(function, pairs, "crf", workers))
    return (time.perf_counter() - start) / len(pairs), (time.process_time() - cpu) / len(pairs), masks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--torch", action="store_true", help="time the torch form on a CPU too")
    arguments = parser.parse_args()
    if not REAL.is_dir():
        print(f"crf: skipped, no folder {REAL}; set TRASHSEG_REAL_DATA")
        return
    pairs, parameters = soft_photos(REAL / "trash_real", arguments.photos), CrfParameters()
    reference, compiled = engine("pydensecrf"), engine("lattice")

    start = time.perf_counter()
    refined_mask(*pairs[0], parameters, compiled)
    print(f"first photo (compiling, or loading what was compiled): {time.perf_counter() - start:.1f} s")

    ways: dict[str, tuple[Callable[[Pair], NDArray[np.uint8]], int]] = {
        "plain": (lambda pair: reference(*pair, parameters), 1),
        "dropped": (lambda pair: refined_mask(*pair, parameters, reference), 1),
        "ours, 1 core": (lambda pair: refined_mask(*pair, parameters, compiled), 1),
        f"ours, {cores()} cores": (lambda pair: refined_mask(*pair, parameters, compiled), cores()),
    }
    import torch

    if torch.cuda.is_available() or arguments.torch:
        on_device = engine("torch")
        refined_mask(*pairs[0], parameters, on_device)
        where = "GPU" if torch.cuda.is_available() else "CPU"
        ways[f"torch, {where}"] = (lambda pair: refined_mask(*pair, parameters, on_device), 1)

    moved = np.mean([np.mean(argmax(p) != reference(p, i, parameters)) for p, i in pairs[:4]])
    kept = np.mean([len(contenders(p)) for p, _ in pairs])
    print(f"{len(pairs)} photos, {kept:.1f} classes that can win on average; the CRF moves {moved:.2%} of pixels")
    print(f"{'':20} {'s a photo':>9} {'CPU s':>7} {'times':>6} {'by CPU':>6} {'pixels equal':>13} {'worst photo':>12}")
    results = {name: timed(function, pairs, workers) for name, (function, workers) in ways.items()}
    plain, plain_cpu, expected = results["plain"]
    for name, (seconds, cpu, masks) in results.items():
        equal = [float(np.mean(a == b)) for a, b in zip(masks, expected, strict=True)]
        times = f"{plain / seconds:6.1f} {plain_cpu / cpu:6.1f}"
        print(f"{name:20} {seconds:9.3f} {cpu:7.3f} {times} {np.mean(equal):13.4%} {min(equal):12.4%}")


if __name__ == "__main__":
    main()
