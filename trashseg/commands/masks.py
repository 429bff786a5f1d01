"""`trashseg masks`: a COCO file to index masks."""

from pathlib import Path
from typing import Literal


def masks(
    json: Path,
    *,
    out: Path,
    seam_repair: bool = False,
    crowd: Literal["paint", "ignore"] = "paint",
    ignore: tuple[str, ...] = ("UNKNOWN",),
    name_by: Literal["file", "id"] = "file",
    jobs: int = 0,
) -> None:
    """Paint the annotations of a COCO file as index masks, largest first.

    Example: `trashseg masks mine/train.json --out mine/masks --seam-repair`

    Writes OUT/FOLDER/NAME.png for each image FOLDER/NAME.jpg: class indices, shown in colour by any viewer. 0 is
    background; the file's categories, by id, are 1, 2, 3 ... as OUT/classes.json tells. Also writes OUT/report.json:
    pixels per class and image. A folder OUT that an earlier call made is replaced.

    Parameters
    ----------
    json
        COCO file with polygons or RLE. The images themselves are not needed.
    out
        Folder for the masks: --out mine/masks
    seam_repair
        Fill background cracks one pixel wide between touching objects: --seam-repair. The report counts the pixels.
    crowd
        What iscrowd regions become: --crowd paint (their class) or --crowd ignore (255).
    ignore
        Categories that become 255 instead of a class: --ignore UNKNOWN --ignore Other
    name_by
        --name-by file: masks are named like the images. --name-by id: 17.png for the image of id 17.
    jobs
        Processes: --jobs 4. 0 uses every core.
    """
    from trashseg.classes import write_classes
    from trashseg.data.coco import Coco
    from trashseg.data.mask_files import mask_names, refuse_foreign, write_masks
    from trashseg.data.own_labels import read_own_labels

    refuse_foreign(out)
    labels = read_own_labels(json, ignore)
    coco = labels.coco
    names = mask_names(coco, json, name_by)
    labelled, unscored = Coco(coco.images, labels.kept, []), Coco(coco.images, labels.ignored, [])
    report = write_masks(labelled, unscored, names, out, labels.classes, seam_repair, crowd, jobs)
    write_classes(out / "classes.json", labels.classes)
    mended = f", {report['seam_repaired_px']} px of seams filled" if seam_repair else ""
    print(f"{len(coco.images)} masks in {out}{mended}")
