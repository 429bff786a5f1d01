"""Which objects there are of each class, how large and how frequent."""

from collections.abc import Callable
from dataclasses import dataclass

from trashseg.data.sample import materials as m
from trashseg.data.sample import outlines as o
from trashseg.data.sample.textures import Generator


@dataclass(frozen=True)
class Kind:
    """An object: its outline, material and length as a share of the image's side."""

    outline: Callable[[Generator], o.Outline]
    material: m.Material
    smallest: float
    largest: float


KINDS: dict[str, tuple[Kind, ...]] = {
    "General trash": (
        Kind(o.crumpled, m.litter, 0.3, 0.6),
        Kind(o.sheet, m.wrapper, 0.25, 0.45),
        Kind(o.torn_sheet, m.wrapper, 0.3, 0.5),
    ),
    "Paper": (
        Kind(o.sheet, m.paper, 0.3, 0.65),
        Kind(o.crumpled, m.crumpled_paper, 0.2, 0.45),
        Kind(o.torn_sheet, m.paper, 0.35, 0.6),
        Kind(o.sheet, m.cardboard, 0.35, 0.65),
    ),
    "Paper pack": (Kind(o.carton, m.pack, 0.3, 0.6), Kind(o.cup, m.paper_cup, 0.25, 0.5)),
    "Metal": (
        Kind(o.tube, m.can, 0.35, 0.65),
        Kind(o.ring, m.foil, 0.35, 0.55),
        Kind(o.crumpled, m.foil, 0.3, 0.55),
    ),
    "Glass": (Kind(o.bottle, m.glass, 0.55, 0.9), Kind(o.broken, m.shard_glass, 0.5, 0.75)),
    "Plastic": (Kind(o.bottle, m.clear_plastic, 0.45, 0.8), Kind(o.cup, m.tub, 0.22, 0.45)),
    "Styrofoam": (Kind(o.box, m.foam, 0.35, 0.65), Kind(o.tray, m.foam_tray, 0.35, 0.65)),
    "Plastic bag": (Kind(o.bag, m.film, 0.4, 0.8), Kind(o.billow, m.film, 0.35, 0.7)),
    "Battery": (Kind(o.cell, m.cell_skin, 0.32, 0.55), Kind(o.block_cell, m.cell_skin, 0.28, 0.45)),
    "Clothing": (Kind(o.shirt, m.cloth, 0.5, 0.8), Kind(o.sock, m.plaid, 0.45, 0.7), Kind(o.shirt, m.plaid, 0.5, 0.8)),
}

SHARES = {
    "General trash": 0.12,
    "Paper": 0.17,
    "Paper pack": 0.09,
    "Metal": 0.11,
    "Glass": 0.11,
    "Plastic": 0.13,
    "Styrofoam": 0.07,
    "Plastic bag": 0.12,
    "Battery": 0.04,
    "Clothing": 0.04,
}
"""Share of all objects: imbalanced like the contest's data, Battery and Clothing rare but present."""
