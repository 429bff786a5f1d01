"""`names.json` of a folder of probabilities: which photo each number is; it may be someone else's, so it is checked."""

from pathlib import Path, PurePath

from trashseg.errors import InputError
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.io import read_json


def read_names(folder: Path) -> dict[int, str]:
    """Number -> name of each photo; an `InputError` for other JSON and for names that lead out of a folder."""
    path = folder / "names.json"
    try:
        names = {int(number): str(name) for number, name in read_json(path).items()}
    except (AttributeError, TypeError, ValueError):
        raise InputError(f"{path}: expected {{number: name}}, as `trashseg predict --probabilities` writes") from None
    for name in names.values():
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise InputError(f"{path}: photo name {name!r} leads out of its folder")
    return names


def check_stores(stores: list[ProbabilityStore], numbers: list[int]) -> None:
    """Every file of every store is there and whole: said before anything is written."""
    for store in stores:
        for number in numbers:
            store.check(number)
