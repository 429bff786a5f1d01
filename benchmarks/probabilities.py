"""`probabilities`: the store's size, error and rates at 512x512 in 11 classes, and what the contest's data would take.

The answers are made up: blobs of classes with soft edges and noise at two
strengths, like those of a good and of a poor network. `--store FOLDER` measures
answers of your own instead.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.inference.probabilities import ProbabilityStore

CLASSES, SIDE, IMAGES = 11, 512, 24
LABELLED, TEST, FOLDS, MODELS = 3272, 819, 5, 4
CONTEST_FILES = LABELLED * MODELS + TEST * FOLDS * MODELS + LABELLED + TEST
"""Every network's answers to its validation and all test images, and the ensemble's."""

LIMIT_GB = 20.0


def noise(rng: np.random.Generator, cell_px: int) -> NDArray[np.float32]:
    """Smooth noise_HWC with grains of `cell_px`, standard deviation about 1."""
    grid = rng.normal(0, 1, (SIDE // cell_px, SIDE // cell_px, CLASSES)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.float32)


def made_up(seed: int, sureness: float) -> NDArray[np.float32]:
    """probabilities_CHW of a scene with a few blobs; `sureness` scales the logits against the noise."""
    rng = np.random.default_rng(seed)
    mask_HW = np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(rng.integers(2, 7)):
        centre, axes = rng.integers(0, SIDE, 2).tolist(), rng.integers(20, 140, 2).tolist()
        cv2.ellipse(mask_HW, centre, axes, float(rng.uniform(0, 180)), 0, 360, int(rng.integers(1, CLASSES)), -1)
    truth_HWC = np.eye(CLASSES, dtype=np.float32)[mask_HW]
    logits_HWC = sureness * cv2.GaussianBlur(truth_HWC, (0, 0), 3) + noise(rng, 32) + 0.2 * noise(rng, 4)
    exps_HWC = np.exp(logits_HWC - logits_HWC.max(2, keepdims=True))
    return np.ascontiguousarray((exps_HWC / exps_HWC.sum(2, keepdims=True)).transpose(2, 0, 1))


def rate(action: Callable[[int], Any], count: int) -> float:
    """How many calls a CPU second: one core's rate, whatever else the machine does."""
    start = time.process_time()
    for number in range(count):
        action(number)
    return count / (time.process_time() - start)


def measure(title: str, answers: Sequence[NDArray[np.float32]]) -> float:
    """Print a line of figures; the mean size in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        store = ProbabilityStore(Path(folder))
        writing = rate(lambda i: store.write(i, answers[i]), len(answers))
        reading = rate(store.read, len(answers))
        sizes = [store.path(i).stat().st_size for i in range(len(answers))]
        errors = [np.abs(store.read(i) - answer_CHW) for i, answer_CHW in enumerate(answers)]
        moved = [(store.read(i).argmax(0) != answer_CHW.argmax(0)).mean() for i, answer_CHW in enumerate(answers)]
    raw = answers[0].nbytes
    mean = float(np.mean(sizes))
    sure = np.mean([answer_CHW.max(0).mean() for answer_CHW in answers])
    print(
        f"{title}: mean confidence {sure:.2f}; {mean / 1e3:.0f} KB an image (largest {max(sizes) / 1e3:.0f}), "
        f"1/{raw / mean:.0f} of float32; error mean {np.mean([e.mean() for e in errors]):.5f}, "
        f"largest {max(e.max() for e in errors):.4f}; other best class in {np.mean(moved):.3%} of pixels"
    )
    print(
        f"  writes {writing:.0f} and reads {reading:.0f} images a CPU second; "
        f"{CONTEST_FILES} files of the contest's data: {mean * CONTEST_FILES / 1e9:.1f} GB"
    )
    return mean


def own(folder: Path) -> Iterator[NDArray[np.float32]]:
    """What a store holds."""
    store = ProbabilityStore(folder)
    for image_id in store.ids()[:IMAGES]:
        yield store.read(image_id)


def main() -> None:
    """Measure; fail where the contest's data would not fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a folder of probabilities, e.g. artifacts/predict/r0/unet/0/val")
    folder = parser.parse_args().store
    if folder is not None:
        measure(str(folder), list(own(folder)))
        return
    for title, sureness in (("poor network", 5.0), ("good network", 12.0)):
        size = measure(title, [made_up(seed, sureness) for seed in range(IMAGES)])
        if size * CONTEST_FILES > LIMIT_GB * 1e9:
            raise SystemExit(f"{title}: the contest's data would take more than {LIMIT_GB:g} GB")


if __name__ == "__main__":
    main()
