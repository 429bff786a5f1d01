"""`trashseg to-coco`: index masks to a COCO file."""

from pathlib import Path
from typing import Literal


def to_coco(
    masks: Path,
    *,
    out: Path,
    add: Path | None = None,
    classes: Path | None = None,
    images: Path | None = None,
    form: Literal["rle", "polygon"] = "rle",
    tolerance_px: float = 0.0,
    whole_classes: bool = False,
    min_area_px: int = 1,
    jobs: int = 0,
) -> None:
    """Turn a folder of index masks into COCO annotations, one per object.

    Example, a file of its own: `trashseg to-coco masks/ --out labels.json`

    Example, appended to another: `trashseg to-coco masks/ --add train.json --out both.json --images photos/`

    An object is what hangs together of one class; 0 and 255 are no objects. RLE holds every mask exactly, and so do
    polygons, with their holes and parts, unless --tolerance-px allows them to be simpler; the worst image's error
    is printed then.

    Parameters
    ----------
    masks
        Folder of PNG masks (8-bit palette or grey), sub-folders too.
    out
        COCO file to write: --out labels.json
    add
        COCO file to append to: --add train.json. New ids start beyond its own, and it is left as it is.
    classes
        Names of the indices: --classes mine/classes.json, as `trashseg masks` writes it. Without it, the one in MASKS,
        or else the eleven classes of the contest.
    images
        Folder of the photos: --images photos/ names FOLDER/NAME.jpg for the mask FOLDER/NAME.png. Without it masks name
        themselves.
    form
        --form rle, or --form polygon: holes are joined to the outline around them, parts are polygons of their own.
    tolerance_px
        How far a polygon's outline may move to save corners: --tolerance-px 1. 0 is exact.
    whole_classes
        All pixels of a class in one annotation instead of one per object: --whole-classes
    min_area_px
        Smaller objects are left out: --min-area-px 20
    jobs
        Processes: --jobs 4. 0 uses every core.
    """
    from trashseg.classes import CONTEST, read_classes
    from trashseg.data.coco import read_coco, write_coco
    from trashseg.data.mask_files import find_masks, image_names
    from trashseg.data.to_coco import masks_to_coco

    paths = find_masks(masks)
    beside = masks / "classes.json"
    named = read_classes(classes or beside) if classes or beside.is_file() else CONTEST
    names = image_names(paths, masks, images)
    main = read_coco(add) if add else None
    coco, error = masks_to_coco(paths, names, named, main, form, tolerance_px, whole_classes, min_area_px, jobs)
    write_coco(out, coco)
    wrong = f"; worst image: {error:.2%} of its labelled pixels differ" if tolerance_px > 0 else ""
    print(f"{len(paths)} masks, {len(coco.annotations)} annotations in {out}{wrong}")
