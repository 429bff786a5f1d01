"""`trashseg ensemble`: several sets of probabilities as one answer, without the pipeline."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def ensemble(
    *members: Path,
    out: Path,
    weights: Annotated[list[float] | None, Parameter(negative="")] = None,
    method: Literal["soft", "vote"] = "soft",
    priority: Annotated[list[str] | None, Parameter(negative="")] = None,
) -> None:
    """Combine what several models said of the same photos.

    Example: `trashseg ensemble found_unet/probabilities found_fpn/probabilities --out both --weights 2 --weights 1`

    Writes OUT/masks/NAME.png and OUT/probabilities/, which can be a member again.

    Parameters
    ----------
    members
        Folders that `trashseg predict --probabilities` wrote, of the same photos.
    out
        Folder for the results, made where it does not exist.
    weights
        One for each member, in their order; all alike where not given.
    method
        soft: the mean of the probabilities. vote: the class that most members find likeliest.
    priority
        Classes that win a tied vote, first wins; the others follow in their order.
    """
    from trashseg.inference.own_ensemble import combine_members

    count = combine_members(list(members), out, weights, method, priority or [])
    print(f"{count} photos: {out / 'masks'}, {out / 'probabilities'}")
