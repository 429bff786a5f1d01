"""`trashseg label-noise`: labels that out-of-fold predictions contradict, as a page of pictures."""

from pathlib import Path


def label_noise(
    probabilities: Path,
    *,
    json: Path,
    images: Path,
    masks: Path,
    classes: Path,
    out: Path,
    margin: float = 0.5,
    area_share: float = 0.001,
    shown: int = 40,
) -> None:
    """Rank labelled images and objects by how confidently out-of-fold predictions contradict them.

    Example: `trashseg label-noise artifacts/ensemble/r1/oof --json artifacts/dataset/train_all.json
    --images artifacts/dataset/images --masks artifacts/masks --classes artifacts/dataset/classes.json --out doubts`

    Writes OUT/ranking.json (all images and regions) and OUT/index.html (the worst, with pictures).

    Parameters
    ----------
    probabilities
        Out-of-fold probabilities: each image predicted by models that were not trained on it.
    json
        COCO file of the labelled images.
    images
        Folder that its `file_name`s start from.
    masks
        Folder of the label masks, ID.png.
    classes
        classes.json that names the classes.
    out
        Folder for the results, made where it does not exist.
    margin
        A pixel is contradicted where its prediction is this much likelier than its label: 0.5.
    area_share
        Smallest region, as a share of the image: 0.001 is 262 pixels of 512x512.
    shown
        Regions on the page.
    """
    from trashseg.classes import read_classes
    from trashseg.errors import InputError
    from trashseg.evaluation.label_noise import as_json, rank
    from trashseg.evaluation.label_noise_page import write_page
    from trashseg.evaluation.submission import image_rows
    from trashseg.inference.crf import argmax
    from trashseg.inference.probabilities import ProbabilityStore
    from trashseg.io import write_json

    if not 0 <= margin < 1:
        raise InputError(f"--margin: found {margin}, expected from 0 to below 1")
    known, names = read_classes(classes), {row["id"]: row["file_name"] for row in image_rows(json)}
    store = ProbabilityStore(probabilities, known.names)
    doubts = rank(names, masks, store, margin, area_share)
    write_json(out / "ranking.json", as_json(doubts, known))
    worst = sorted((f for doubt in doubts for f in doubt.findings), key=lambda f: -f.score)[:shown]
    predictions = {f.image_id: argmax(store.read(f.image_id)) for f in worst}
    write_page(out / "index.html", worst, names, images, masks, predictions, known)
    total = sum(len(doubt.findings) for doubt in doubts)
    print(f"{total} doubtful regions in {sum(bool(d.findings) for d in doubts)} of {len(doubts)} images")
    print(f"the worst {len(worst)}: {out / 'index.html'}")
