"""Outlines of objects in their own coordinates: polygons in about [-1, 1] x [-1, 1], y down.

An outline has one or more outer polygons and any number of holes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Outline:
    """Outer polygons (parts) and holes, each (N, 2) of x, y."""

    parts: tuple[Points, ...]
    holes: tuple[Points, ...] = ()


def ellipse(rx: float, ry: float, cx: float = 0.0, cy: float = 0.0, points: int = 40) -> Points:
    """An ellipse around (cx, cy)."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], 1)


def rectangle(rx: float, ry: float, cx: float = 0.0, cy: float = 0.0) -> Points:
    """An upright rectangle of half sides rx, ry."""
    return np.array([[cx - rx, cy - ry], [cx + rx, cy - ry], [cx + rx, cy + ry], [cx - rx, cy + ry]])


def dense(corners: Points, step: float = 0.05) -> Points:
    """The same polygon with a point every `step`, so that it can be bent and clipped."""
    ahead = np.roll(corners, -1, axis=0)
    edges = []
    for start, end in zip(corners, ahead, strict=True):
        count = max(1, int(np.ceil(np.hypot(*(end - start)) / step)))
        edges.append(start + (end - start) * np.arange(count)[:, None] / count)
    return np.concatenate(edges)


def dented(rng: Generator, polygon: Points, amount: float) -> Points:
    """The polygon with a few smooth dents and bulges of up to `amount`, by low-order waves over its angle."""
    angle = np.arctan2(polygon[:, 1], polygon[:, 0])
    factor = np.ones(len(polygon))
    for order in range(2, 6):
        factor += amount / order * rng.normal() * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return polygon * np.clip(factor, 0.4, 1.5)[:, None]


def crumpled(rng: Generator, roughness: float = 0.25, corners: int = 14) -> Outline:
    """A ball of something crushed: an irregular star-shaped polygon."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners)) + 1e-3 * np.arange(corners)
    radius = rng.uniform(1 - 2 * roughness, 1.0, corners)
    aspect = rng.uniform(0.7, 1.0)
    return Outline((dense(np.stack([radius * np.cos(angle), aspect * radius * np.sin(angle)], 1)),))


def sheet(rng: Generator) -> Outline:
    """A quadrilateral seen at an angle, its corners moved about."""
    corners = rectangle(rng.uniform(0.6, 0.8), 0.95) + rng.uniform(-0.14, 0.14, (4, 2))
    return Outline((dense(corners),))


def torn_sheet(rng: Generator) -> Outline:
    """Two pieces of one sheet, apart: several parts."""
    zigzag = np.stack([np.linspace(-0.75, 0.75, 7), rng.uniform(-0.12, 0.12, 7)], 1)
    upper = np.concatenate([[[-0.75, -0.95], [0.75, -0.95]], zigzag[::-1] - [0, 0.12]])
    lower = np.concatenate([zigzag + np.array([rng.uniform(-0.1, 0.1), 0.14]), [[0.75, 0.95], [-0.75, 0.95]]])
    return Outline((dense(upper), dense(lower)))


def tube(rng: Generator) -> Outline:
    """A can on its side or standing: a rectangle with bulging ends, perhaps dented."""
    width = rng.uniform(0.45, 0.6)
    top, bottom = ellipse(width, 0.16, 0, -0.82), ellipse(width, 0.16, 0, 0.82)
    outline = np.concatenate([top[len(top) // 2 :], bottom[: len(bottom) // 2]])
    return Outline((dented(rng, dense(outline), 0.05),))


def ring(rng: Generator) -> Outline:
    """A lid with its middle gone: a hole."""
    hole = rng.uniform(0.42, 0.58)
    aspect = rng.uniform(0.7, 1.0)
    return Outline((ellipse(1, aspect),), (ellipse(hole, hole * aspect),))


def bottle(rng: Generator) -> Outline:
    """Neck, shoulder, body."""
    neck, body = rng.uniform(0.14, 0.19), rng.uniform(0.38, 0.48)
    shoulder = rng.uniform(-0.45, -0.2)
    right = [[neck, -1.0], [neck, shoulder - 0.2], [body, shoulder], [body, 0.9], [body - 0.06, 1.0]]
    left = [[-x, y] for x, y in reversed(right)]
    return Outline((dense(np.array(right + left)),))


def broken(rng: Generator) -> Outline:
    """Shards: three sharp pieces."""
    shards = []
    for index in range(3):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 5)) + 1e-3 * np.arange(5)
        radius = rng.uniform(0.35, 0.6, 5)
        centre = 0.62 * np.array([np.cos(index * 2.1), np.sin(index * 2.1)])
        shards.append(dense(centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)))
    return Outline(tuple(shards))


def carton(rng: Generator) -> Outline:
    """A drink carton with its gable top, two faces seen."""
    depth = rng.uniform(0.25, 0.4)
    corners = [
        [-0.5, -0.55],
        [-0.3, -1.0],
        [0.45, -1.0],
        [0.5 + depth, -0.6],
        [0.5 + depth, 0.8],
        [0.45, 1.0],
        [-0.5, 1.0],
    ]
    return Outline((dense(np.array(corners) - [depth / 2, 0]),))


def cup(rng: Generator) -> Outline:
    """A tapered cup."""
    base = rng.uniform(0.35, 0.45)
    return Outline((dense(np.array([[-0.65, -0.9], [0.65, -0.9], [base, 0.95], [-base, 0.95]])),))


def box(rng: Generator) -> Outline:
    """A block seen from a corner."""
    lift = rng.uniform(0.25, 0.45)
    corners = [[-0.95, -0.2], [0.0, -0.2 - lift], [0.95, -0.2], [0.95, 0.45], [0.0, 0.45 + lift], [-0.95, 0.45]]
    return Outline((dense(np.array(corners)),))


def tray(rng: Generator) -> Outline:
    """A shallow tray with a bitten-off corner."""
    corners = [[-1, -0.65], [0.55, -0.65], [0.62, -0.35], [1, -0.25], [1, 0.65], [-1, 0.65]]
    return Outline((dense(np.array(corners) + rng.uniform(-0.06, 0.06, (6, 2))),))


def bag(rng: Generator) -> Outline:
    """A carrier bag: a soft body and two handles, which are holes."""
    body = dented(
        rng, dense(np.array([[-0.8, -0.5], [-0.6, -1], [0.6, -1], [0.8, -0.5], [0.95, 0.9], [-0.95, 0.9]])), 0.12
    )
    holes = (ellipse(0.13, 0.18, -0.36, -0.66, 16), ellipse(0.13, 0.18, 0.36, -0.66, 16))
    return Outline((body,), holes)


def billow(rng: Generator) -> Outline:
    """A bag lying about, blown up: a soft irregular blob."""
    return Outline((dented(rng, ellipse(1, rng.uniform(0.7, 0.95), points=60), 0.3),))


def cell(rng: Generator) -> Outline:
    """A round battery from the side: body and a small pole."""
    width = rng.uniform(0.34, 0.44)
    half = [[0.16, -1.0], [0.16, -0.88], [width, -0.88], [width, 1.0]]
    return Outline((dense(np.array(half + [[-x, y] for x, y in reversed(half)])),))


def block_cell(rng: Generator) -> Outline:
    """A 9 V block battery with two poles."""
    corners = [[-0.62, -0.8], [-0.4, -0.8], [-0.4, -1], [-0.12, -1], [-0.12, -0.8], [0.12, -0.8], [0.12, -1], [0.4, -1]]
    corners += [[0.4, -0.8], [0.62, -0.8], [0.62, rng.uniform(0.8, 1.0)], [-0.62, rng.uniform(0.8, 1.0)]]
    return Outline((dense(np.array(corners)),))


def shirt(rng: Generator) -> Outline:
    """A T-shirt laid flat, a little bent."""
    right = [[0.22, -0.85], [0.5, -0.9], [1.0, -0.45], [0.78, -0.15], [0.55, -0.35], [0.58, 0.95]]
    corners = np.array([[0.0, -0.72], *right, *([-x, y] for x, y in reversed(right))])
    return Outline((dented(rng, dense(corners), 0.06),))


def sock(rng: Generator) -> Outline:
    """A sock: leg and foot."""
    corners = [[-0.45, -1], [0.1, -1], [0.12, 0.2], [0.8, 0.45], [0.95, 0.75], [0.7, 0.95], [-0.1, 0.9], [-0.45, 0.5]]
    return Outline((dented(rng, dense(np.array(corners)), 0.05),))
