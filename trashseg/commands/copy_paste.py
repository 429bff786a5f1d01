"""`trashseg copy-paste`: new labelled images, by pasting the objects of one image onto another."""

from pathlib import Path
from typing import Literal


def copy_paste(
    json: Path,
    *,
    images: Path,
    out: Path,
    count: int = 1500,
    patch_classes: tuple[str, ...] = (),
    excluded_classes: tuple[str, ...] = (),
    only_patch_classes: bool = False,
    quota: dict[str, int] | None = None,
    jitter: Literal["none", "patch", "both"] = "patch",
    jitter_min: float = 0.2,
    jitter_max: float = 2.0,
    large_px: int = 20_000,
    small_px: int = 5_000,
    flip: float = 0.5,
    turn: bool = True,
    placement: Literal["own", "random"] = "random",
    max_cover: float = 0.6,
    min_visible_px: int = 64,
    soft_edge_px: float = 1.0,
    attempts: int = 8,
    format: Literal["jpg", "png"] = "jpg",
    ignore: tuple[str, ...] = ("UNKNOWN",),
    fold: int = 0,
    seed: int = 0,
    jobs: int = 0,
) -> None:
    """Paste the objects of one labelled image onto another, COUNT times.

    Example: `trashseg copy-paste folds/kfold_0_train.json --images photos/ --out pasted/ --count 300
    --patch-classes Battery --patch-classes Clothing --excluded-classes Paper --quota.Battery 100`

    Writes OUT/images, OUT/masks (class indices, as `trashseg masks` makes them), OUT/annotations.json (COCO with exact
    RLE) and OUT/lineage.json (which two images each is made of). A folder OUT that an earlier call made is replaced.
    To score honestly, give the training images of one fold alone.

    Parameters
    ----------
    json
        COCO file of labelled images.
    images
        Folder that the file's `file_name`s start from: --images photos/
    out
        Folder for the set: --out pasted/
    count
        Images to make: --count 1500
    patch_classes
        Both images hold one of these classes; repeat for more: --patch-classes Battery --patch-classes Glass. Without
        any: the classes with fewer objects than the median class.
    excluded_classes
        Neither image holds any of these: --excluded-classes Paper --excluded-classes "Plastic bag"
    only_patch_classes
        Paste the objects of the patch classes alone, not all objects of the image: --only-patch-classes
    quota
        At least so many of the images get an object of the class: --quota.Battery 50 --quota.Clothing 100
    jitter
        Large-scale jittering: --jitter none, --jitter patch (what is pasted), or --jitter both (also the image under
        it; what it uncovers is 255).
    jitter_min
        Smallest scale of the jittering: --jitter-min 0.2 is a fifth.
    jitter_max
        Largest scale of the jittering: --jitter-max 2 is double.
    large_px
        A patch of more pixels is shrunk to half size: --large-px 20000 suits images of 512x512.
    small_px
        A patch of fewer pixels is enlarged to double size: --small-px 5000
    flip
        Chance of a horizontal flip of the patch: --flip 0.5 is every other one.
    turn
        Turn patches of middle size by quarters and flip them; --no-turn leaves them upright.
    placement
        --placement own: where the patch was in its own image. --placement random: anywhere it fits.
    max_cover
        At most this share of an object already there is covered: --max-cover 0.6 leaves 40 % of it.
    min_visible_px
        No object, pasted or covered, shows fewer pixels than this: --min-visible-px 100
    soft_edge_px
        Width in px of the blend at a pasted edge: --soft-edge-px 2. 0 is a hard cut.
    attempts
        Placements tried for one pair of images before another pair is drawn: --attempts 20
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
    from trashseg.data.synthesis_config import CopyPasteConfig
    from trashseg.data.synthetic_stages import make_copy_pasted

    config = settings(
        CopyPasteConfig,
        {
            "count": count,
            "patch_classes": patch_classes,
            "excluded_classes": excluded_classes,
            "only_patch_classes": only_patch_classes,
            "quotas": quota or {},
            "jitter": jitter,
            "jitter_range": (jitter_min, jitter_max),
            "large_px": large_px,
            "small_px": small_px,
            "flip": flip,
            "turn": turn,
            "placement": placement,
            "max_cover": max_cover,
            "min_visible_px": min_visible_px,
            "soft_edge_px": soft_edge_px,
            "attempts": attempts,
            "format": format,
        },
        "copy_paste",
    )
    labelled = labelled_files(json, images, out, ignore, fold)
    print(make_copy_pasted(labelled, config, seed, jobs))
