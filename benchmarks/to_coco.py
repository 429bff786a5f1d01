"""`to-coco`: CPU ms an image against the usual way (a mask per colour, pixel by pixel, then contours) and a bare loop.

The usual way is the one found in tutorials: each pixel is sorted into the mask
of its class in Python, contours become polygons; holes and edges are lost. The
bare loop encodes one exact RLE per class and writes JSON.
"""

import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from benchmarks.masks import cpu_ms
from trashseg.classes import CONTEST
from trashseg.data.coco import load_coco
from trashseg.data.masks import paint
from trashseg.data.to_coco import annotations_of_mask, convert_one
from trashseg.io import write_mask

REAL = Path(os.environ.get("TRASHSEG_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def usual(path: Path) -> str:
    """Sub-masks by getpixel and putpixel, then polygons from contours through pixel centres."""
    with Image.open(path) as image:
        width, height = image.size
        masks: dict[int, Image.Image] = {}
        for x in range(width):
            for y in range(height):
                value = image.getpixel((x, y))
                if isinstance(value, int) and value:
                    masks.setdefault(value, Image.new("1", (width, height))).putpixel((x, y), 1)
    rows: list[Any] = []
    for value, mask in masks.items():
        contours, _ = cv2.findContours(np.asarray(mask, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        rows += [{"category_id": value, "segmentation": [contour.ravel().tolist()]} for contour in contours]
    return json.dumps(rows)


def bare(path: Path) -> str:
    """One RLE per class."""
    with Image.open(path) as image:
        mask_HW: NDArray[np.uint8] = np.asarray(image)
    rows = []
    for value in np.unique(mask_HW)[1:].tolist():
        rle = coco_mask.encode(np.asfortranarray(mask_HW == value, np.uint8))
        size = [int(side) for side in rle["size"]]
        rows.append({"category_id": value, "segmentation": {"size": size, "counts": rle["counts"].decode()}})
        rows[-1].update(area=int(coco_mask.area(rle)), bbox=coco_mask.toBbox(rle).tolist())
    return json.dumps(rows)


def ours(path: Path, form: Any, whole_classes: bool) -> str:
    """What `trashseg to-coco` does with one mask."""
    image, rows, _ = convert_one((path, path.name), len(CONTEST), form, 0.0, whole_classes, 1)
    return json.dumps([image, rows])


def measure(title: str, path: Path, work: Path) -> None:
    """Print one line per way, and the ratios."""
    coco = load_coco(path)
    paths, exact = [], 0
    for image in coco.images[:: max(1, len(coco.images) // 100)]:
        mask_HW = paint(coco.annotations_of[image["id"]], [], image["height"], image["width"])
        paths.append(work / f"{title}{image['id']}.png")
        write_mask(paths[-1], mask_HW, CONTEST.palette())
        for form in ("rle", "polygon"):
            rows = list(annotations_of_mask(mask_HW, form))  # type: ignore[arg-type]
            exact += bool((paint(rows, [], *mask_HW.shape) == mask_HW).all())
    ways = {
        "bare": lambda at: _spend(bare(paths[at])),
        "RLE per class": lambda at: _spend(ours(paths[at], "rle", True)),
        "RLE per object": lambda at: _spend(ours(paths[at], "rle", False)),
        "polygons": lambda at: _spend(ours(paths[at], "polygon", False)),
    }
    ms = cpu_ms(ways, len(paths))
    start = time.process_time()
    for path in paths[:8]:
        usual(path)
    ms["usual"] = 1e3 * (time.process_time() - start) / len(paths[:8])
    print(f"{title}: {len(paths)} masks, CPU ms an image: " + ", ".join(f"{n} {v:.2f}" for n, v in ms.items()))
    print(f"  usual / RLE per object {ms['usual'] / ms['RLE per object']:.0f} (wanted: at least 100)")
    print(f"  usual / polygons {ms['usual'] / ms['polygons']:.0f}")
    print(f"  RLE per class / bare {ms['RLE per class'] / ms['bare']:.2f}; {exact} of {2 * len(paths)} exact")


def _spend(_: str) -> None:
    """A result that nobody needs."""


def main() -> None:
    """`python -m benchmarks.to_coco`."""
    warnings.simplefilter("ignore", DeprecationWarning)
    if not REAL.is_dir():
        print(f"to-coco: skipped, no folder {REAL}; set TRASHSEG_REAL_DATA")
        return
    with tempfile.TemporaryDirectory() as folder:
        for title, name in (("photos", "trash_real/train_all.json"), ("TACO", "taco/taco_11cls_512_noimages.json")):
            measure(title, REAL / name, Path(folder))


if __name__ == "__main__":
    main()
