"""`trashseg folds`: a COCO file to k training and validation files."""

from pathlib import Path
from typing import Literal


def folds(
    json: Path,
    *,
    out: Path,
    k: int = 5,
    method: Literal["greedy", "iterstrat", "stratified", "kfold"] = "greedy",
    group_by: str | None = None,
    images: Path | None = None,
    near_duplicate_bits: int = 48,
    given: Path | None = None,
    seed: int = 0,
    ignore: tuple[str, ...] = ("UNKNOWN",),
    jobs: int = 0,
) -> None:
    """Deal the images of a COCO file to k folds that share the pixels of every class evenly.

    Example: `trashseg folds mine/train.json --out mine/folds --k 5 --group-by scene --images mine/photos`

    Writes OUT/folds.json, and for each fold OUT/kfold_0_train.json and OUT/kfold_0_val.json, copies of JSON cut down
    to the fold's images; OUT/balance.json and OUT/balance.svg tell how evenly each class is spread, beside plain and
    single-label k-fold.

    Parameters
    ----------
    json
        COCO file with polygons or RLE. The images themselves are needed for --images alone.
    out
        Folder for the files: --out mine/folds
    k
        Number of folds: --k 5 holds out a fifth of the images in each.
    method
        --method greedy: equal pixels and images of every class. iterstrat: multi-label stratification over each
        image's rarest class, number of classes and number of annotations. stratified: over the rarest class alone.
        kfold: at random.
    group_by
        Key of the image rows whose images stay together: --group-by video. Without it every image is on its own.
    images
        Folder that the file's `file_name`s start from: --images photos/. Near-duplicates found among the photos then
        stay together, too: a photo trained on and its twin held out would flatter every score.
    near_duplicate_bits
        How many of the 256 bits of two photos' hashes may differ: --near-duplicate-bits 24 is stricter.
    given
        Your own split instead: --given mine.json, a JSON file {file_name or image id: fold}, or --given folder/ of
        kfold_0_val.json, kfold_1_val.json ... It is checked, and reported on like any.
    seed
        Another number gives another split: --seed 1
    ignore
        Categories that count for no class: --ignore UNKNOWN --ignore Other
    jobs
        Processes: --jobs 4. 0 uses every core.
    """
    from trashseg.data.balance import balance_report, table_lines
    from trashseg.data.balance_plot import balance_svg
    from trashseg.data.coco import MAX_MEGAPIXELS
    from trashseg.data.folds import write_fold_files
    from trashseg.data.groups import GROUP, grouped, look_at_all, with_groups
    from trashseg.data.own_labels import read_own_labels
    from trashseg.data.painted_pixels import painted_pixels
    from trashseg.data.split import assign_folds, check_k, given_folds
    from trashseg.data.split_table import split_table
    from trashseg.io import read_json, write_json, write_text

    labels = read_own_labels(json, ignore)
    document, names = labels.as_document(), labels.classes.names
    pairs: list[tuple[int, int, int]] = []
    if images is not None:
        rows = labels.coco.images
        looks = look_at_all(images, json, rows, MAX_MEGAPIXELS, jobs)
        groups, pairs = grouped(rows, looks, group_by, json, near_duplicate_bits)
        document, group_by = {**document, "images": with_groups(rows, groups)}, GROUP
    table = split_table(document, painted_pixels(labels.scenes(Path()), len(names), jobs), group_by)
    check_k(table, k)
    if given is None:
        split = assign_folds(table, k, method, seed)
    else:
        split = given_folds(given, table, k, {row["file_name"]: row["id"] for row in labels.coco.images})
    report = balance_report(split, table, names, method if given is None else "given", seed)
    write_fold_files(out, split, read_json(json))
    write_json(out / "balance.json", report)
    write_text(out / "balance.svg", balance_svg(report))
    near = [f"near-duplicates kept together: images {a} and {b} ({bits} bits differ)" for a, b, bits in pairs]
    print("\n".join([*table_lines(report), *(f"note: {note}" for note in [*report["notes"], *near])]))
