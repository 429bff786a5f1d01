"""`copy_paste`: milliseconds an image, beside the usual way of doing it and beside a bare loop.

usual way: what the original contest entry does: `annToMask` per annotation of
both images, whole-image numpy, OpenCV's default PNG of the image, Pillow's
palette PNG of the mask, no annotations written.
bare loop: decode the target, paste a cached source with one `copyTo` each for
image and mask, encode image and mask as this project does; no limits, no
instances, no annotations.
All in one process. "ours, cold" makes as many images as the stage does, caches
empty at first; the others make a fifth of the same pairs, ours with the
sources cached as the bare loop has them.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from trashseg.classes import CONTEST
from trashseg.data.copy_paste import CACHE, CopyPaste, Variation
from trashseg.data.instance_bank import InstanceBank, PasteObjects
from trashseg.data.instance_map import annotation_rle
from trashseg.data.paste import Limits
from trashseg.data.scenes import IMAGES as DECODED
from trashseg.data.scenes import LABELS, Scene, SceneFile, load_scene, scene_files
from trashseg.data.synthetic_set import Pair, SetFiles, render
from trashseg.io import encode_image, encode_mask, read_image, read_json, read_mask, write_mask

REAL = Path(os.environ.get("TRASHSEG_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
IMAGES = 1500
SHARE = 5


@dataclass
class Work:
    """The pairs to paste, and where to write."""

    pairs: list[Pair]
    out: Path

    @property
    def count(self) -> int:
        """Images made."""
        return len(self.pairs)


def usual_way(work: Work) -> None:
    """What the original contest entry does for one image after the other."""
    rng = np.random.default_rng(0)
    palette = CONTEST.palette().ravel().tolist()
    for pair in work.pairs:
        source_HWC, target_HWC = (cv2.imread(str(file.image)) for file in (pair.source, pair.target))
        source_HW, target_HW = usual_mask(pair.source), usual_mask(pair.target)
        source_HWC, source_HW = usual_variation(np.asarray(source_HWC), source_HW, rng)
        image_HWC = np.where(source_HW[..., None] > 0, source_HWC, np.asarray(target_HWC))
        mask_HW = np.where(source_HW > 0, source_HW, target_HW)
        cv2.imwrite(str(work.out / "usual.png"), image_HWC)
        image = Image.fromarray(mask_HW)
        image.putpalette(palette)
        image.save(work.out / "usual_mask.png")


def usual_mask(file: SceneFile) -> NDArray[np.uint8]:
    """A mask painted whole by whole."""
    mask_HW = np.zeros((file.height, file.width), np.uint8)
    for annotation in sorted(file.annotations, key=lambda a: -a["area"]):
        one_HW = coco_mask.decode(annotation_rle(annotation, file.height, file.width))
        mask_HW[one_HW == 1] = annotation["category_id"]
    return mask_HW


def usual_variation(
    image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Large patches at half size in the middle, small ones doubled, others turned; on whole images."""
    height, width = mask_HW.shape
    area = int((mask_HW > 0).sum())
    if area > 20_000:
        small_HW = cv2.resize(mask_HW, (width // 2, height // 2), interpolation=cv2.INTER_NEAREST)
        small_HWC = cv2.resize(image_HWC, (width // 2, height // 2))
        pad = (height - height // 2) // 2, (width - width // 2) // 2
        image, mask = np.zeros_like(image_HWC), np.zeros_like(mask_HW)
        box = np.s_[pad[0] : pad[0] + height // 2, pad[1] : pad[1] + width // 2]
        image[box], mask[box] = small_HWC, small_HW
        return image, mask
    if area < 5_000:
        rows, columns = np.nonzero(mask_HW)
        y = int(np.clip(rows.mean() - height // 4, 0, height // 2))
        x = int(np.clip(columns.mean() - width // 4, 0, width // 2))
        box = np.s_[y : y + height // 2, x : x + width // 2]
        large = cv2.resize(image_HWC[box], (width, height))
        return np.asarray(large), np.asarray(cv2.resize(mask_HW[box], (width, height), interpolation=0))
    turns = int(rng.integers(4))
    if height != width:
        turns -= turns % 2
    return np.rot90(image_HWC, turns), np.rot90(mask_HW, turns)


def bare_loop(work: Work, cache: dict[int, Scene]) -> None:
    """Decode, paste, encode, and nothing else."""
    palette = CONTEST.palette()
    for pair in work.pairs:
        source = cache[pair.source.image_id]
        image_HWC = read_image(pair.target.image)
        assert pair.target.mask is not None
        mask_HW = read_mask(pair.target.mask).copy()
        inside_HW = (source.instances_HW > 0).view(np.uint8)
        cv2.copyTo(source.image_HWC, inside_HW, image_HWC)
        cv2.copyTo(source.mask_HW, inside_HW, mask_HW)
        (work.out / "bare.jpg").write_bytes(encode_image(".jpg", image_HWC))
        (work.out / "bare.png").write_bytes(encode_mask(mask_HW, palette))


def ours(work: Work, recipe: CopyPaste) -> None:
    """As the stage does it, annotations included."""
    for folder in ("images", "masks"):
        (work.out / folder).mkdir(exist_ok=True)
    files = SetFiles(work.out, 1, ".jpg", CONTEST)
    for pair in work.pairs:
        render(pair, recipe, work.out, files)


def online(work: Work, scenes: Sequence[Scene], transform: PasteObjects) -> None:
    """The training transform on decoded images."""
    rng = np.random.default_rng(0)
    for at, _ in enumerate(work.pairs):
        scene = scenes[at % len(scenes)]
        transform(scene.image_HWC, scene.mask_HW, rng)


def milliseconds(function: Callable[[], None], images: int) -> float:
    """CPU milliseconds an image."""
    start = time.process_time()
    function()
    return 1000 * (time.process_time() - start) / images


def main() -> None:
    """Measure on trash_real."""
    if not REAL.is_dir():
        sys.exit(f"no folder {REAL}; set TRASHSEG_REAL_DATA to real photos")
    cv2.setNumThreads(1)
    folder = REAL / "trash_real"
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        plain = scene_files(read_json(folder / "train_all.json"), folder, None)
        for file in plain:
            write_mask(out / "labels" / f"{file.image_id}.png", load_scene(file).mask_HW, CONTEST.palette())
        files = scene_files(read_json(folder / "train_all.json"), folder, out / "labels")
        rng = np.random.default_rng(0)
        chosen = rng.integers(0, len(files), (IMAGES, 2)).tolist()
        pairs = [Pair(i, files[a], files[b], None, (0, i)) for i, (a, b) in enumerate(chosen)]
        pairs.sort(key=lambda pair: pair.target.image_id)  # as the stage makes them
        work, part = Work(pairs, out), Work(pairs[: IMAGES // SHARE], out)
        cache = {pair.source.image_id: load_scene(pair.source) for pair in part.pairs}
        recipe = CopyPaste(Variation(), Limits(), None, 1.0, 8)
        bank = InstanceBank.build(files)
        for cache_of_one_kind in (LABELS, DECODED, CACHE):
            cache_of_one_kind.clear()
        ways: dict[str, tuple[Callable[[], None], Work]] = {
            "usual way": (partial(usual_way, part), part),
            "bare loop": (partial(bare_loop, part, cache), part),
            "ours, cold": (partial(ours, work, recipe), work),
            "ours": (partial(ours, part, recipe), part),
            "bare again": (partial(bare_loop, part, cache), part),
            "ours again": (partial(ours, part, recipe), part),
            "online": (partial(online, part, list(cache.values())[:64], PasteObjects(bank)), part),
        }
        best = {name: milliseconds(way, of.count) for name, (way, of) in ways.items()}
        for name in ("bare", "ours"):
            first = "bare loop" if name == "bare" else name
            best[first] = min(best[first], best.pop(f"{name} again"))
    for name, cost in best.items():
        print(f"{name:<10} {cost:6.2f} ms an image")
    print(f"usual way / ours {best['usual way'] / best['ours']:.1f} (wanted: at least 4)")
    print(f"usual way / ours, cold {best['usual way'] / best['ours, cold']:.1f}")
    print(f"ours / bare loop {best['ours'] / best['bare loop']:.2f} (wanted: at most 1.3)")


if __name__ == "__main__":
    main()
