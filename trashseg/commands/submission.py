"""`trashseg submission`, `check-submission`, `read-submission`: the contest's CSV, written, checked, read back."""

from pathlib import Path


def submission(masks: Path, *, json: Path, classes: Path, out: Path, side: int = 256) -> None:
    """Write a submission CSV from a folder of masks, and check it.

    Example: `trashseg submission found/masks --json test.json --classes classes.json --out submission.csv`

    Parameters
    ----------
    masks
        Folder of masks of class indices; an image `batch/0001.jpg` has `batch/0001.png`, or its id: `17.png`.
    json
        COCO file of the images, in the order of the rows.
    classes
        classes.json that names the classes.
    out
        The CSV to write.
    side
        Rows and columns of the submitted grid.
    """
    import numpy as np
    from numpy.typing import NDArray

    from trashseg.classes import read_classes
    from trashseg.errors import InputError
    from trashseg.evaluation.read_back import name_of
    from trashseg.evaluation.submission import image_rows, validate_submission, write_submission
    from trashseg.io import read_mask

    rows = image_rows(json)
    names = [str(row["file_name"]) for row in rows]
    count = len(read_classes(classes))

    def mask_of(row: int) -> NDArray[np.uint8]:
        options = [masks / f"{name_of(names[row])}.png", masks / f"{rows[row]['id']}.png"]
        mask_HW = read_mask(next((path for path in options if path.is_file()), options[0]))
        if mask_HW.max() >= count:
            raise InputError(f"{options[0]}: found class {mask_HW.max()}, expected 0..{count - 1}")
        return mask_HW

    write_submission(out, names, mask_of, side)
    validate_submission(out, names, count, side)
    print(f"{out}: {len(names)} images")


def check_submission(csv: Path, *, json: Path, classes: Path, side: int = 256) -> None:
    """Check a submission CSV: rows, their order, names, whole masks, classes in range.

    Example: `trashseg check-submission submission.csv --json test.json --classes classes.json`

    Parameters
    ----------
    csv
        The submission.
    json
        COCO file of the images, in the order of the rows.
    classes
        classes.json that names the classes.
    side
        Rows and columns of the submitted grid.
    """
    from trashseg.classes import read_classes
    from trashseg.evaluation.submission import image_rows, validate_submission

    names = [str(row["file_name"]) for row in image_rows(json)]
    validate_submission(csv, names, len(read_classes(classes)), side)
    print(f"{csv}: {len(names)} rows, as they must be")


def read_submission(
    csv: Path,
    *,
    json: Path,
    classes: Path,
    out: Path,
    images: Path | None = None,
    certainty: float | None = None,
    side: int = 256,
) -> None:
    """Turn a submission CSV back into masks, pictures and a member for an ensemble.

    Example: `trashseg read-submission best.csv --json test.json --classes classes.json --out best --certainty 0.9`,
    then `trashseg ensemble found/probabilities best/probabilities --out both`

    Parameters
    ----------
    csv
        The submission.
    json
        COCO file of the images.
    classes
        classes.json that names the classes.
    out
        Folder for masks/NAME.png at each image's own size.
    images
        Folder of the photos; given, OUT/overlays/NAME.jpg are drawn.
    certainty
        The probability of each pixel's class, e.g. 0.9; given, OUT/probabilities is an ensemble member.
    side
        Rows and columns of the submitted grid.
    """
    from trashseg.classes import read_classes
    from trashseg.errors import InputError
    from trashseg.evaluation.read_back import read_back
    from trashseg.evaluation.submission import image_rows

    if certainty is not None and not 0 < certainty <= 1:
        raise InputError(f"--certainty: found {certainty}, expected more than 0 and at most 1")
    count = read_back(csv, image_rows(json), read_classes(classes), out, images, certainty, side)
    print(f"{count} images: {out / 'masks'}")
