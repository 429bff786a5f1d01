"""`trashseg predict`: one's own photos to masks, overlays and shares of classes."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

FlipName = Literal["none", "horizontal", "vertical", "both"]


def predict(
    photos: Path,
    *,
    model: list[Path],
    out: Path,
    flips: Annotated[list[FlipName], Parameter(negative="")] = ["none", "horizontal"],  # noqa: B006
    scales: Annotated[list[float], Parameter(negative="")] = [1.0],  # noqa: B006
    view: Literal["whole", "windows"] = "whole",
    batch_size: int = 4,
    device: str = "auto",
    max_megapixels: float = 64.0,
    upright: bool = True,
    probabilities: bool = False,
) -> None:
    """Find litter in a photo, or in every photo of a folder.

    Example: `trashseg predict photos/ --model artifacts/train/r1/unet/0 --model artifacts/train/r1/unet/1 --out found`

    Writes OUT/masks/NAME.png (class indices, shown in colour), OUT/overlays/NAME.jpg and OUT/shares.json (which
    share of each photo is of which class).

    Parameters
    ----------
    photos
        A photo, or a folder whose photos (sub-folders too) are all predicted.
    model
        A model folder with model.json and weights.safetensors, or another file of weights in one
        (model/last.safetensors). Given several times, the models' answers are averaged.
        --model champion: those of the champion in MLflow's registry.
    out
        Folder for the results, made where it does not exist.
    flips
        Mirror images to look at as well: --flips none --flips horizontal.
    scales
        Sizes to look at, as factors: --scales 1 --scales 1.5.
    view
        whole: the photo is resized to the size the model was trained at. windows: its own pixels are cut into tiles,
        for photos with small objects.
    batch_size
        Tiles that go through the network together, on the CPU photos (one a core at most); fewer need less memory.
    device
        auto (a GPU where there is one), cpu, cuda, cuda:1.
    max_megapixels
        A larger photo is not predicted.
    upright
        Turn photos as their EXIF tag says, as viewers do; --no-upright takes pixels as they are stored.
    probabilities
        Also keep OUT/probabilities/N.probs and names.json, for `trashseg ensemble`.
    """
    from trashseg.errors import InputError
    from trashseg.inference.own_photos import find_photos, load_members
    from trashseg.inference.own_results import Results
    from trashseg.inference.predict import View
    from trashseg.tracking.champion import model_folders

    if min(scales) <= 0 or batch_size < 1:
        raise InputError(f"--scales {min(scales):g}, --batch-size {batch_size}: expected numbers above 0")
    found = find_photos(photos)
    looks = View(view == "whole", scales, flips)
    members = load_members(model_folders(model), looks, batch_size, device, photos=len(found))
    with Results(out, members.classes, probabilities) as results:
        for answer in members.answers(found, max_megapixels, upright):
            results.add(answer.name, str(found[answer.name]), answer.image_HWC, answer.probabilities_CHW)
    if results.count:
        print(f"{results.count} photos: {out / 'masks'}, {out / 'overlays'}, {out / 'shares.json'}")
    if members.unread:
        more = f" (and {len(members.unread) - 1} more)" if len(members.unread) > 1 else ""
        raise InputError(f"{members.unread[0]}{more}")
