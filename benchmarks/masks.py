"""`masks`: CPU ms an image against the usual way (annToMask, Pillow, image copied) and a bare loop; then with jobs.

The bare loop rasterises by RLE, decodes, indexes and encodes by OpenCV (level
1, filter none), with no check, no palette and no report. All ways take turns
on the same images in one run; their masks are compared.
"""

import contextlib
import io
import os
import resource
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from trashseg.classes import CONTEST
from trashseg.data.coco import Coco, Row, load_coco
from trashseg.data.mask_files import Work, write_masks, write_one
from trashseg.io import PNG_FAST, read_mask
from trashseg.parallel import cores

REAL = Path(os.environ.get("TRASHSEG_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
ROUNDS = 3
MANY = 12_000
"""Images to share among jobs: a process takes half a second to start."""


def usual(coco: COCO, image: Row, source: Path, out: Path) -> None:
    """annToMask per annotation, a palette PNG by Pillow, the image copied beside it (where there is one)."""
    mask_HW = np.zeros((image["height"], image["width"]), np.uint8)
    for row in sorted(coco.imgToAnns[image["id"]], key=lambda row: row["area"], reverse=True):
        mask_HW[coco.annToMask(row) == 1] = row["category_id"]
    picture = Image.fromarray(mask_HW).convert("P")
    picture.putpalette(CONTEST.palette().tobytes())
    picture.save(out / f"{image['id']}.png")
    if (source / image["file_name"]).is_file():
        shutil.copy(source / image["file_name"], out / f"{image['id']}.jpg")


def bare(rows: list[Row], image: Row, out: Path) -> None:
    """Rasterise, decode, index, encode; grey."""
    height, width = image["height"], image["width"]
    mask_HW: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
    for row in sorted(rows, key=lambda row: -row["area"]):
        rles = coco_mask.frPyObjects(row["segmentation"], height, width)
        mask_HW[coco_mask.decode(coco_mask.merge(rles)) == 1] = row["category_id"]
    (out / f"{image['id']}.png").write_bytes(cv2.imencode(".png", mask_HW, PNG_FAST)[1].tobytes())


def ours(item: Work, out: Path) -> None:
    """What the stage does with one image."""
    write_one(item, out, CONTEST, seam_repair=False, crowd="paint")


def cpu_ms(ways: dict[str, Callable[[int], None]], images: int) -> dict[str, float]:
    """The best of some rounds of each way, CPU ms an image; ways take turns image by image."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        spent = dict.fromkeys(ways, 0.0)
        for at in range(images):
            for name, way in ways.items():
                start = time.process_time()
                way(at)
                spent[name] += time.process_time() - start
        best = {name: min(best[name], 1e3 * spent[name] / images) for name in ways}
    return best


def measure(title: str, path: Path, work: Path) -> None:
    """Print one line per way, and the ratios."""
    cv2.setNumThreads(1)
    coco = load_coco(path)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO(str(path))
    images = coco.images[:: max(1, len(coco.images) // 150)]
    items = [(row, coco.annotations_of[row["id"]], [], f"{row['id']}.png") for row in images]
    folders = {name: work / title / name for name in ("usual", "bare", "ours")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    ways: dict[str, Callable[[int], None]] = {
        "usual": lambda at: usual(reference, images[at], path.parent, folders["usual"]),
        "bare": lambda at: bare(items[at][1], images[at], folders["bare"]),
        "ours": lambda at: ours(items[at], folders["ours"]),
    }
    ms = cpu_ms(ways, len(images))
    same = sum((read_mask(folders["ours"] / i[3]) == read_mask(folders["usual"] / i[3])).all() for i in items)
    print(f"{title}: {len(images)} images, CPU ms an image: " + ", ".join(f"{n} {v:.2f}" for n, v in ms.items()))
    print(f"  usual / ours {ms['usual'] / ms['ours']:.1f} (wanted: at least 4)")
    print(f"  ours / bare {ms['ours'] / ms['bare']:.2f} (wanted: at most 1.3); {same} of {len(images)} masks identical")


def enlarged(coco: Coco, images: int) -> Coco:
    """The same images and annotations again and again, under new ids, until there are so many."""
    rows = [(number, coco.images[number % len(coco.images)]) for number in range(images)]
    annotations = [{**row, "image_id": number} for number, image in rows for row in coco.annotations_of[image["id"]]]
    return Coco([{**image, "id": number} for number, image in rows], annotations, coco.categories)


def measure_jobs(path: Path, work: Path) -> None:
    """Wall seconds for many images by number of jobs, and peak memory after half and after all."""
    coco = enlarged(load_coco(path), MANY)
    none = Coco(coco.images, [], [])
    names = [f"{row['id']}.png" for row in coco.images]
    half = coco.subset(row["id"] for row in coco.images[::2])
    write_masks(half, Coco(half.images, [], []), names[::2], work / "half", CONTEST, False, "paint", 1)
    print(f"  {len(half.images)} images: peak memory {peak_mib():.0f} MiB")
    for jobs in sorted({1, cores()}):
        start = time.perf_counter()
        write_masks(coco, none, names, work / f"jobs{jobs}", CONTEST, False, "paint", jobs)
        print(f"  {len(names)} images, jobs {jobs}: {time.perf_counter() - start:.1f} s")
    print(f"  {len(names)} images: peak memory {peak_mib():.0f} MiB")


def peak_mib() -> float:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """`python -m benchmarks.masks`."""
    warnings.simplefilter("ignore", DeprecationWarning)
    if not REAL.is_dir():
        print(f"masks: skipped, no folder {REAL}; set TRASHSEG_REAL_DATA")
        return
    with tempfile.TemporaryDirectory() as folder:
        for title, name in (("photos", "trash_real/train_all.json"), ("TACO", "taco/taco_11cls_512_noimages.json")):
            measure(title, REAL / name, Path(folder))
            measure_jobs(REAL / name, Path(folder) / f"{title} jobs")


if __name__ == "__main__":
    main()
