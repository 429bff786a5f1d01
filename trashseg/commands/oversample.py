"""`trashseg oversample`: new labelled images of rare classes."""

from pathlib import Path
from typing import Literal


def oversample(
    json: Path,
    *,
    images: Path,
    out: Path,
    count: int = 500,
    rare_classes: tuple[str, ...] = (),
    min_area_px: int = 5000,
    background_classes: tuple[str, ...] = (),
    max_annotations: int = 1,
    flip: float = 0.5,
    elastic: float = 0.5,
    elastic_px: float = 8.0,
    max_cover: float = 0.6,
    min_visible_px: int = 64,
    soft_edge_px: float = 1.0,
    format: Literal["jpg", "png"] = "jpg",
    ignore: tuple[str, ...] = ("UNKNOWN",),
    fold: int = 0,
    seed: int = 0,
    jobs: int = 0,
) -> None:
    """Paste single objects of rare classes, at their own place, onto simple images, COUNT times.

    Example: `trashseg oversample folds/kfold_0_train.json --images photos/ --out rare/ --count 200
    --rare-classes Battery --background-classes Glass --background-classes Metal`

    Writes OUT/images, OUT/masks, OUT/annotations.json (COCO with exact RLE) and OUT/lineage.json, as
    `trashseg copy-paste` does. A folder OUT that an earlier call made is replaced. To score honestly, give the
    training images of one fold alone.

    Parameters
    ----------
    json
        COCO file of labelled images.
    images
        Folder that the file's `file_name`s start from: --images photos/
    out
        Folder for the set: --out rare/
    count
        Images to make: --count 500
    rare_classes
        Classes whose objects are pasted; repeat for more: --rare-classes Battery --rare-classes Clothing. Without
        any: those with at most half as many objects as the median class.
    min_area_px
        Smallest object worth pasting: --min-area-px 5000 suits images of 512x512.
    background_classes
        Classes that an image pasted onto may hold: --background-classes Glass. Without any: all but the rare ones.
    max_annotations
        Most annotations an image pasted onto may have: --max-annotations 1 takes images of a single object.
    flip
        Chance of a horizontal flip of the result: --flip 0.5 is every other one.
    elastic
        Chance that the result is bent: --elastic 0.5
    elastic_px
        Typical displacement of the bending: --elastic-px 8 is gentle at 512x512.
    max_cover
        At most this share of an object already there is covered: --max-cover 0.6 leaves 40 % of it.
    min_visible_px
        No object, pasted or covered, shows fewer pixels than this: --min-visible-px 100
    soft_edge_px
        Width in px of the blend at a pasted edge: --soft-edge-px 2. 0 is a hard cut.
    format
        Of the images: --format jpg (quality 95), or --format png.
    ignore
        Categories that become 255 instead of a class: --ignore UNKNOWN
    fold
        Written into lineage.json, for sets made per fold: --fold 2
    seed
        Another number gives other images: --seed 1. The same gives the same bytes, whatever --jobs.
    jobs
        Processes: --jobs 4. 0 uses every core.
    """
    from trashseg.commands.synthesis import labelled_files, settings
    from trashseg.data.synthesis_config import OversampleConfig
    from trashseg.data.synthetic_stages import make_oversampled

    config = settings(
        OversampleConfig,
        {
            "count": count,
            "rare_classes": rare_classes,
            "min_area_px": min_area_px,
            "background_classes": background_classes,
            "max_annotations": max_annotations,
            "flip": flip,
            "elastic": elastic,
            "elastic_px": elastic_px,
            "max_cover": max_cover,
            "min_visible_px": min_visible_px,
            "soft_edge_px": soft_edge_px,
            "format": format,
        },
        "oversample",
    )
    labelled = labelled_files(json, images, out, ignore, fold)
    print(make_oversampled(labelled, config, seed, jobs))
