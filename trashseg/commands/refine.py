"""`trashseg refine`: sharper edges by DenseCRF, on probabilities and photos of one's own."""

from pathlib import Path
from typing import Literal


def refine(
    probabilities: Path,
    *,
    photos: Path,
    out: Path,
    iterations: int = 10,
    gaussian_sxy: float = 3.0,
    gaussian_compat: float = 3.0,
    bilateral_sxy: float = 50.0,
    bilateral_srgb: float = 5.0,
    bilateral_compat: float = 4.0,
    engine: Literal["auto", "pydensecrf", "lattice", "torch"] = "auto",
    pictures: bool = False,
) -> None:
    """Move the edges of predicted objects to where the photo's colours change.

    Example: `trashseg predict photos/ --model MODEL --out found --probabilities`, then
    `trashseg refine found/probabilities --photos photos/ --out sharper --pictures`

    Writes OUT/masks/NAME.png, and OUT/pictures/NAME.jpg (before and after) where wanted.

    Parameters
    ----------
    probabilities
        Folder that `trashseg predict --probabilities` or `trashseg ensemble` wrote.
    photos
        The photos that were predicted: the same photo or folder.
    out
        Folder for the results, made where it does not exist.
    iterations
        Steps of the mean field; edges hardly move after 10.
    gaussian_sxy
        Reach of the smoothness term, pixels.
    gaussian_compat
        Weight of the smoothness term; 0 turns it off.
    bilateral_sxy
        Reach of the colour term, pixels.
    bilateral_srgb
        Reach of the colour term, grey levels (0 to 255): larger ignores finer edges.
    bilateral_compat
        Weight of the colour term; 0 turns it off.
    engine
        All give the same answer: auto takes the quickest, pydensecrf is the reference, torch runs on a GPU.
    pictures
        Also write before-and-after pictures.
    """
    from trashseg.errors import InputError
    from trashseg.inference.crf import CrfParameters
    from trashseg.inference.own_refine import refine_photos

    reaches = {"gaussian-sxy": gaussian_sxy, "bilateral-sxy": bilateral_sxy, "bilateral-srgb": bilateral_srgb}
    weights = {"gaussian-compat": gaussian_compat, "bilateral-compat": bilateral_compat}
    for flag, value in reaches.items():
        if not 0 < value < float("inf"):
            raise InputError(f"--{flag}: found {value}, expected a number above 0")
    for flag, value in weights.items():
        if not 0 <= value < float("inf"):
            raise InputError(f"--{flag}: found {value}, expected a number from 0 on")
    if iterations < 1:
        raise InputError(f"--iterations: found {iterations}, expected 1 or more")
    parameters = CrfParameters(
        gaussian_sxy, gaussian_compat, bilateral_sxy, bilateral_srgb, bilateral_compat, iterations
    )
    changed = refine_photos(probabilities, photos, out, parameters, engine, pictures)
    print(
        f"{len(changed)} photos: {out / 'masks'}; {sum(changed.values()) / max(len(changed), 1):.2%} of pixels changed"
    )
