"""The CRF engines by name; each is imported when first asked for."""

from trashseg.errors import InputError, nearest
from trashseg.inference.crf import Engine

NAMES = ("pydensecrf", "lattice", "torch")

COMPILED_PAYS_PX = 20e6
"""Pixels (photos x parameter sets) from which on compiling the lattice engine is repaid."""


def engine(name: str, work_px: float = 0) -> Engine:
    """The engine of that name: one of `NAMES`, or `auto` for the quickest one for `work_px` pixels in all.

    The choice depends on the data alone, not on the machine, so that the same
    params give the same bytes anywhere.
    """
    if name == "auto":
        name = "lattice" if work_px >= COMPILED_PAYS_PX else "pydensecrf"
    if name == "pydensecrf":
        from trashseg.inference.crf_pydensecrf import solve as reference

        return reference
    if name == "lattice":
        from trashseg.inference.crf_lattice import solve as compiled

        return compiled
    if name == "torch":
        from trashseg.inference.crf_torch import solve as on_device

        return on_device
    known = ("auto", *NAMES)
    raise InputError(f"CRF engine {name!r} is unknown; expected one of {', '.join(known)}{nearest(name, known)}")
