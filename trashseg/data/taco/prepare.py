"""TACO (tacodataset.org, Proença and Simões 2020): its photos fetched, its categories mapped, a COCO folder made.

TACO's json names where each photo lies on Flickr. Photos are fetched once into
a folder of the user's; the photos that could not be had are reported and left
out. Labels are scaled to the size of the photo that was fetched.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from trashseg.data.coco import Coco, Row, write_coco
from trashseg.data.download import Download, Missing, download_all
from trashseg.data.image_files import FORMATS
from trashseg.data.segmentation import area_of, bbox_of, rle_of
from trashseg.data.taco.table import IGNORED, TABLE, class_order, read_table
from trashseg.errors import InputError, nearest
from trashseg.io import read_image, read_json, write_image, write_json

MAX_STRETCH = 0.02
"""How much the sides' ratio of a fetched photo may differ from the json's."""


def prepare_taco(
    annotations: Path,
    photos: Path,
    out: Path,
    seed: int,
    table: Path = TABLE,
    url_key: str = "flickr_url",
    longest_side_px: int = 1024,
    test_fraction: float = 0.2,
    max_missing_fraction: float = 0.1,
    workers: int = 8,
    timeout_s: float = 30.0,
    pause_s: float = 1.0,
) -> None:
    """Fetch TACO's photos into `photos` and write a COCO folder `out` for `assemble`.

    `out` gets `train_all.json`, `test.json`, `test_labels.json`, `images/` and
    `taco_report.json`. Whole batches (one place, one camera) are held out for
    testing until `test_fraction` of the images is reached. Photos whose longer
    side exceeds `longest_side_px` are shrunk to it.
    """
    value = read_json(annotations)
    class_of = _class_of(value, annotations, read_table(table), table)
    rows = [{**image, "batch": str(image["file_name"]).split("/")[0]} for image in value["images"]]
    downloads = [Download(str(row.get(url_key) or ""), photos / _safe_name(row, annotations)) for row in rows]
    missing = download_all(downloads, workers, timeout_s=timeout_s, pause_s=pause_s)
    lost = {str(fault.path): fault.reason for fault in missing}
    had = [(row, place.path) for row, place in zip(rows, downloads, strict=True) if str(place.path) not in lost]
    images, scales, unusable = _scaled_images(had, out / "images", longest_side_px)
    report = _report(rows, downloads, missing, unusable)
    write_json(photos / "taco_report.json", report)
    if len(images) < (1 - max_missing_fraction) * len(rows):
        raise InputError(
            f"{annotations}: {len(rows) - len(images)} of {len(rows)} photos could not be had, expected at most "
            f"{max_missing_fraction:.0%}; see {photos / 'taco_report.json'}, and run again to continue"
        )
    coco, dropped = _scaled_labels(value, images, scales, class_of, class_order(read_table(table)))
    write_json(out / "taco_report.json", {**report, "dropped_annotations": dropped})
    _write_split(coco, out, seed, test_fraction)


def _class_of(value: Any, path: Path, table: dict[str, str], table_path: Path) -> dict[int, str]:
    """TACO category id -> class name."""
    try:
        names = {int(row["id"]): str(row["name"]) for row in value["categories"]}
        [(row["image_id"], row["category_id"], row["segmentation"]) for row in value["annotations"]]
        [(row["id"], row["file_name"], int(row["width"]), int(row["height"])) for row in value["images"]]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: expected TACO's annotations.json (COCO with categories and file names)") from None
    for name in names.values():
        if name not in table:
            raise InputError(f"{table_path}: TACO category {name!r} has no row{nearest(name, table)}")
    return {number: table[name] for number, name in names.items()}


def _safe_name(row: Row, path: Path) -> str:
    parts = Path(str(row["file_name"])).parts
    if ".." in parts or Path(str(row["file_name"])).is_absolute():
        raise InputError(f"{path}: image {row['id']}: file_name {row['file_name']!r} leads out of the photos' folder")
    return "/".join(parts)


def _scaled_images(
    had: Sequence[tuple[Row, Path]], folder: Path, longest_side_px: int
) -> tuple[list[Row], dict[int, tuple[float, float]], list[tuple[Path, str]]]:
    """Image rows with their sizes in the dataset, the factors (x, y) of their labels, and unusable files."""
    images, scales, unusable = [], {}, []
    for row, path in had:
        try:
            size = _placed(path, folder / row["file_name"], row, longest_side_px)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            unusable.append((path, " ".join(str(error).split())))
            continue
        images.append({"id": row["id"], "file_name": row["file_name"], "width": size[0], "height": size[1]})
        images[-1]["batch"] = row["batch"]
        scales[row["id"]] = size[0] / row["width"], size[1] / row["height"]
    return images, scales, unusable


def _placed(path: Path, target: Path, row: Row, longest_side_px: int) -> tuple[int, int]:
    """Put a photo into the dataset, shrunk where too large; its width and height."""
    with Image.open(path, formats=FORMATS) as image:
        width, height = image.size
    if abs(width / height / (row["width"] / row["height"]) - 1) > MAX_STRETCH:
        raise ValueError(f"{path} is {width} x {height} px, expected the shape of {row['width']} x {row['height']}")
    factor = longest_side_px / max(width, height)
    target.parent.mkdir(parents=True, exist_ok=True)
    if factor >= 1:
        target.write_bytes(path.read_bytes())
        return width, height
    size = max(1, round(width * factor)), max(1, round(height * factor))
    shrunk = np.asarray(cv2.resize(read_image(path), size, interpolation=cv2.INTER_AREA), np.uint8)
    write_image(target, shrunk)
    return size


def _scaled_labels(
    value: Any,
    images: list[Row],
    scales: dict[int, tuple[float, float]],
    class_of: dict[int, str],
    names: list[str],
) -> tuple[Coco, list[dict[str, Any]]]:
    """The labels of the images at hand, and those dropped because nothing of them is left."""
    sizes = {row["id"]: (row["height"], row["width"]) for row in images}
    index = {name: number for number, name in enumerate(names, 1)} | {IGNORED: 0}
    kept, dropped = [], []
    for row in value["annotations"]:
        if row["image_id"] not in sizes:
            continue
        factor = np.array(scales[row["image_id"]])
        try:
            polygons = [(np.reshape(p, (-1, 2)) * factor).round(2).ravel().tolist() for p in row["segmentation"]]
            polygons = [polygon for polygon in polygons if len(polygon) >= 6]
            rle = rle_of(polygons, *sizes[row["image_id"]])
        except (ValueError, TypeError) as error:
            dropped.append({"id": row["id"], "reason": str(error)})
            continue
        category = index[class_of[row["category_id"]]]
        own = {"id": row["id"], "image_id": row["image_id"], "category_id": category, "segmentation": polygons}
        kept.append({**own, "area": area_of(rle), "bbox": bbox_of(rle), "iscrowd": 0})
    categories = [{"id": number, "name": name} for name, number in sorted(index.items(), key=lambda item: item[1])]
    used = [row for row in categories if row["id"] or any(not row["category_id"] for row in kept)]
    return Coco(images, kept, used), dropped


def _write_split(coco: Coco, out: Path, seed: int, test_fraction: float) -> None:
    """Hold out whole batches, in seeded order, while they fit into the test share."""
    batches = sorted({row["batch"] for row in coco.images})
    held: set[int] = set()
    for at in np.random.default_rng([seed, 5]).permutation(len(batches)):
        ids = {row["id"] for row in coco.images if row["batch"] == batches[at]}
        if len(held) + len(ids) <= test_fraction * len(coco.images):
            held |= ids
    test = coco.subset(held)
    write_coco(out / "train_all.json", coco.subset(coco.image_by_id.keys() - held))
    write_coco(out / "test.json", Coco(test.images, [], test.categories))
    write_coco(out / "test_labels.json", test)


def _report(
    rows: list[Row], downloads: list[Download], missing: list[Missing], unusable: list[tuple[Path, str]]
) -> dict[str, Any]:
    ids = {str(place.path): row["id"] for row, place in zip(rows, downloads, strict=True)}
    faults = [(str(fault.path), fault.url, fault.reason) for fault in missing]
    faults += [(str(path), "", reason) for path, reason in unusable]
    return {
        "photos": len(rows),
        "had": len(rows) - len(faults),
        "missing": [{"image_id": ids[path], "url": url, "reason": reason} for path, url, reason in faults],
    }
