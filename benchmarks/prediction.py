"""`prediction`: photos per second with mirror images, against a loop over images and flips.

Both read the same photos from disk, run the same network with random weights
and leave probabilities on disk. The loop does what comes first to mind: one
image, one flip at a time, numpy in between, `savez_compressed` at the end;
`network alone` leaves files out on both sides. Ours counts what it prepares,
too. Both sides take turns in one run. On the CPU, CPU seconds are compared
beside seconds on the clock; on a GPU, the clock alone. `--threads 1` leaves
both sides one core: what remains is saved work, not waiting.
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trashseg.inference.predict import Predictor, View, choose_device
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.streaming import predict_photos
from trashseg.io import read_image, write_image
from trashseg.models.networks import IMAGENET_MEAN, IMAGENET_STD, Architecture, SegmentationNetwork, build_network

CLASSES = 11
FLIPS = ("none", "horizontal", "vertical", "both")
AXES = {"none": (), "horizontal": (1,), "vertical": (0,), "both": (0, 1)}


def one_flip(network: SegmentationNetwork, image_HWC: NDArray[np.uint8], flip: str, device: torch.device) -> Any:
    """probabilities_CHW of one mirror image, turned back, the plain way."""
    scaled_HWC = (np.flip(image_HWC, AXES[flip]) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    image_BCHW = torch.from_numpy(scaled_HWC.transpose(2, 0, 1)[None].astype(np.float32)).to(device)
    with torch.no_grad():
        answer_CHW = network.body(image_BCHW).softmax(1)[0].cpu().numpy()
    return np.flip(answer_CHW, [axis + 1 for axis in AXES[flip]])


def loop(
    network: SegmentationNetwork, photos: Mapping[int, Path], folder: Path | None, device: torch.device
) -> list[NDArray[np.float32]]:
    """The naive loop; files under `folder`, or none."""
    answers = []
    for image_id, path in photos.items():
        image_HWC = read_image(path)
        answer_CHW = np.mean([one_flip(network, image_HWC, flip, device) for flip in FLIPS], 0)
        if folder is not None:
            np.savez_compressed(folder / f"{image_id}.npz", answer_CHW)
        answers.append(answer_CHW)
    return answers


def ours(
    prepare: Callable[[], Predictor], photos: Mapping[int, Path], folder: Path | None
) -> list[NDArray[np.float32]]:
    """The pipeline's way; files under `folder`, or none."""
    predictor = prepare()
    if folder is not None:
        predict_photos(predictor, photos, ProbabilityStore(folder), "predicting")
        return []
    answers = predictor.probabilities(read_image(path) for path in photos.values())
    return [answer_CHW.cpu().numpy() for answer_CHW in answers]


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one call: of the processor, and on the clock."""
    start = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - start[0], time.perf_counter() - start[1]


def compare(
    title: str, first: Callable[[], object], second: Callable[[], object], images: int, turns: int, cpu: bool
) -> None:
    """Run both in turns and print their rates."""
    pairs = [(seconds(first), seconds(second)) for _ in range(turns)]
    for index, clock in enumerate(("CPU second", "second")):
        if clock == "CPU second" and not cpu:
            continue
        naive, mine = [a[index] for a, _ in pairs], [b[index] for _, b in pairs]
        ratio = statistics.median(a / b for a, b in zip(naive, mine, strict=True))
        print(
            f"  {title}, photos a {clock}: loop {images / min(naive):.2f}, ours {images / min(mine):.2f}, "
            f"{min(naive) / min(mine):.2f} times as many (median of {turns} turns {ratio:.2f})"
        )


def fresh(parent: Path) -> Path:
    """An empty folder: a store that holds an image would not predict it again."""
    return Path(tempfile.mkdtemp(dir=parent))


def measure(
    images: int, side: int, architecture: Architecture, device: torch.device, batch_size: int, turns: int
) -> None:
    """Print the rates of both ways, and check that they answer alike."""
    torch.manual_seed(0)
    network = build_network(architecture, CLASSES).eval().to(device)
    network.set_normalisation(IMAGENET_MEAN, IMAGENET_STD)
    rng = np.random.default_rng(0)
    view = View(flips=FLIPS)

    def prepare() -> Predictor:
        return Predictor(copy.deepcopy(network), (side, side), view, device, batch_size, photos=images)

    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        photos = {number: parent / f"{number}.jpg" for number in range(images)}
        for path in photos.values():
            write_image(path, rng.integers(0, 256, (side, side, 3)).astype(np.uint8))
        few = dict(list(photos.items())[:2])
        found, expected = ours(prepare, few, None), loop(network, few, None, device)
        off = max(float(np.abs(a - b).max()) for a, b in zip(expected, found, strict=True))
        what = f"{images} photos of {side}x{side}, {len(FLIPS)} flips, {architecture.name} {architecture.encoder}"
        print(f"{what}, {device}, {torch.get_num_threads()} threads: answers differ by {off:.1e}")
        for title, files in (("network alone", False), ("with files", True)):
            compare(
                title,
                lambda files=files: loop(network, photos, fresh(parent) if files else None, device),
                lambda files=files: ours(prepare, photos, fresh(parent) if files else None),
                images,
                turns,
                device.type == "cpu",
            )


def main() -> None:
    """Measure on the device given, or the best there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--side", type=int, default=256, help="pixels, a multiple of 32, e.g. 512")
    parser.add_argument("--architecture", default="Unet", help="e.g. FPN")
    parser.add_argument("--encoder", default="timm-mobilenetv3_small_minimal_100", help="e.g. efficientnet-b5")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU, for both sides")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    architecture = Architecture(given.architecture, given.encoder)
    measure(given.images, given.side, architecture, choose_device(given.device), given.batch_size, given.turns)


if __name__ == "__main__":
    main()
