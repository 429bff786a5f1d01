"""`trashseg evaluate`: a folder of predicted masks against the true ones."""

from pathlib import Path


def evaluate(predicted: Path, *, truth: Path, classes: Path, json: Path | None = None, jobs: int = 0) -> None:
    """Score masks: mIoU at full size and on the 256 grid, per class, at edges, by object size.

    Example: `trashseg evaluate found/masks --truth masks/ --classes artifacts/dataset/classes.json`

    Masks are PNGs of class indices; 255 in a true mask is not scored. A class that is in no mask is left out of means.

    Parameters
    ----------
    predicted
        Folder of predicted masks, NAME.png.
    truth
        Folder of true masks of the same names, as `trashseg masks` writes them.
    classes
        classes.json that names the classes, as the `dataset` stage writes it.
    json
        Also write all scores here.
    jobs
        Processes; 0 takes every core.
    """
    from trashseg.classes import read_classes
    from trashseg.evaluation.own_masks import evaluate_masks
    from trashseg.io import write_json

    scores = evaluate_masks(predicted, truth, read_classes(classes), jobs)
    low, high = scores["interval"]
    print(f"{scores['images']} images")
    print(
        f"mIoU {scores['miou']:.4f} (95 % interval {low:.4f} to {high:.4f}), on the 256 grid {scores['miou_256']:.4f}"
    )
    print(f"pixel accuracy {scores['pixel_accuracy']:.4f}, boundary IoU {scores['boundary_iou']:.4f}")
    for name, iou in scores["per_class"].items():
        print(f"  {name:20} {'absent' if iou is None else f'{iou:.4f}'}")
    for size, row in scores["by_size"].items():
        if row["objects"]:
            print(f"  {size} objects: {row['found']:.0%} of {row['objects']} found")
    if json is not None:
        write_json(json, scores)
