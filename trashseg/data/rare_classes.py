"""Which classes are rare, and names turned into indices: what both synthesis stages are told to paste."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from trashseg.classes import Classes
from trashseg.data.scenes import SceneFile
from trashseg.errors import InputError, nearest


def class_indices(names: Sequence[str], classes: Classes, key: str) -> frozenset[int]:
    """Indices of class names given under a key of params.yaml; Background and unknown names are `InputError`s."""
    for name in names:
        if name not in classes.names[1:]:
            raise InputError(
                f"{key}: class {name!r} is unknown{nearest(name, classes.names[1:])}; "
                f"expected some of {', '.join(classes.names[1:])}"
            )
    return frozenset(classes.names.index(name) for name in names)


def objects_per_class(files: Sequence[SceneFile]) -> Counter[int]:
    """Number of objects of each class; crowds count for none."""
    return Counter(a["category_id"] for file in files for a in file.annotations if not a.get("iscrowd"))


def rare_classes(files: Sequence[SceneFile], share_of_median: float) -> frozenset[int]:
    """Classes with at most `share_of_median` of the median class's objects; where none is, the rarest one."""
    counts = objects_per_class(files)
    if not counts:
        return frozenset()
    limit = share_of_median * median(counts.values())
    fewest = min(counts.values())
    return frozenset(index for index, number in counts.items() if number <= max(limit, fewest))


def held_classes(file: SceneFile) -> frozenset[int]:
    """The classes of which an image has an object."""
    return frozenset(a["category_id"] for a in file.annotations if not a.get("iscrowd"))
