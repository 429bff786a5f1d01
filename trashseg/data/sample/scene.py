"""One drawn photo: ground, clutter, objects with light and shadow, a camera; and its labels.

Scenes are drawn twice as large as needed and shrunk, which softens edges as a
lens does.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.data.sample.catalogue import KINDS, Kind
from trashseg.data.sample.outlines import Outline, Points, crumpled
from trashseg.data.sample.textures import Field, Generator, ground, jittered, rgb, smooth_noise

ZOOM = 2
MARGIN = 0.06
"""Seen around the picture by the camera when it moves, as a share of its side."""


SIZE = 1.12
"""Factor on the catalogue's lengths."""


@dataclass(frozen=True)
class Placed:
    """An object in a scene; its outline is in pixels of the picture, before the camera moves."""

    category: str
    kind: Kind
    outline: Outline
    centre: tuple[float, float]
    half_length: float
    angle: float
    seed: int


@dataclass(frozen=True)
class Shot:
    """Where the camera stood, in pixels, and how the light was."""

    dx: float = 0.0
    dy: float = 0.0
    exposure: float = 1.0
    noise_seed: int = 0


def place(rng: Generator, category: str, side: int) -> Placed:
    """An object of a class somewhere in the picture, turned any way, perhaps cut by the edge."""
    kinds = KINDS[category]
    kind = kinds[int(rng.integers(len(kinds)))]
    half_length = side * rng.uniform(kind.smallest, kind.largest) * SIZE / 2
    centre = rng.uniform(0.12 * side, 0.88 * side, 2)
    angle = rng.uniform(0, 2 * np.pi)
    local = kind.outline(rng)
    turn = half_length * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = Outline(tuple(p @ turn + centre for p in local.parts), tuple(h @ turn + centre for h in local.holes))
    return Placed(
        category, kind, moved, (float(centre[0]), float(centre[1])), half_length, angle, int(rng.integers(2**31))
    )


def draw(seed: int, objects: list[Placed], side: int, shot: Shot) -> NDArray[np.uint8]:
    """The photo, image_HWC uint8, `side` x `side`; later objects lie on top. The same seed gives the same ground."""
    rng = np.random.default_rng(seed)
    margin = round(MARGIN * side)
    canvas_side = ZOOM * (side + 2 * margin)
    canvas = ground(rng, canvas_side)
    for _ in range(int(rng.integers(2, 7))):
        _draw_pebble(rng, canvas)
    for placed in objects:
        _draw_object(placed, canvas, margin)
    canvas = _light(rng, canvas)
    return _expose(canvas, side, margin, shot)


def _mask(outline: Outline, canvas_side: int, margin: int) -> Field:
    """Coverage of an outline on the canvas, (H, W) in {0, 1}."""
    mask = np.zeros((canvas_side, canvas_side), np.uint8)
    shift = 4

    def fixed(points: Points) -> NDArray[np.int32]:
        return np.asarray(np.round(((points + margin) * ZOOM - 0.5) * 2**shift), np.int32)

    for part in outline.parts:
        cv2.fillPoly(mask, [fixed(part)], 1, shift=shift)
    for hole in outline.holes:
        cv2.fillPoly(mask, [fixed(hole)], 0, shift=shift)
    return mask.astype(np.float32)


def _draw_object(placed: Placed, canvas: Field, margin: int) -> None:
    rng = np.random.default_rng(placed.seed)
    canvas_side = canvas.shape[0]
    mask = _mask(placed.outline, canvas_side, margin)
    _cast_shadow(mask, canvas, placed.half_length * ZOOM)
    position = (np.arange(canvas_side, dtype=np.float32) + 0.5) / ZOOM - margin
    east, south = (
        (position[None, :] - placed.centre[0]) / placed.half_length,
        (position[:, None] - placed.centre[1]) / placed.half_length,
    )
    cos, sin = float(np.cos(placed.angle)), float(np.sin(placed.angle))
    east, south = east.astype(np.float32), south.astype(np.float32)
    x, y = cos * east + sin * south, cos * south - sin * east
    colour, opacity = placed.kind.material(rng, x, y)
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    rim = 0.72 + 0.28 * np.clip(inside / (0.12 * placed.half_length * ZOOM), 0, 1)
    alpha = (opacity * cv2.GaussianBlur(mask, (0, 0), 0.6))[..., None]
    canvas[:] = canvas * (1 - alpha) + np.clip(colour * rim[..., None], 0, 1.2) * alpha


def _cast_shadow(mask: Field, canvas: Field, half_length: float) -> None:
    offset = max(1, round(0.07 * half_length))
    shadow = cv2.GaussianBlur(np.roll(mask, (offset, offset), (0, 1)), (0, 0), max(1.0, 0.08 * half_length))
    canvas *= (1 - 0.55 * shadow)[..., None]


def _draw_pebble(rng: Generator, canvas: Field) -> None:
    """A stone or leaf: clutter that has no label."""
    side = canvas.shape[0]
    outline = crumpled(rng, 0.2, 9).parts[0] * side * rng.uniform(0.012, 0.045) + rng.uniform(0, side, 2)
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [outline.astype(np.int32)], 1)
    _cast_shadow(mask.astype(np.float32), canvas, 0.04 * side)
    leaf = rng.random() < 0.5
    colour = jittered(rng, (0.42, 0.40, 0.12) if leaf else (0.45, 0.43, 0.41), 0.08)
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
    tone = 0.7 + 0.6 * smooth_noise(rng, side, 30)[..., None]
    canvas[:] = canvas * (1 - alpha) + rgb(colour) * tone * alpha


def _light(rng: Generator, canvas: Field) -> Field:
    """Sun from one side, a soft cloud shadow, a warm or cold cast."""
    side = canvas.shape[0]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    slope = np.cos(angle) * ramp[None, :] + np.sin(angle) * ramp[:, None]
    cloud = smooth_noise(rng, side, 2)
    light = rng.uniform(0.8, 1.08) * (1 + 0.16 * slope) * (0.82 + 0.3 * cloud)
    cast = rgb(1 + rng.normal(0, 0.045, 3))
    return np.asarray(canvas * light[..., None] * cast, np.float32)


def _expose(canvas: Field, side: int, margin: int, shot: Shot) -> NDArray[np.uint8]:
    """Cut the picture out where the camera stood, shrink it, add sensor noise."""
    wide = side + 2 * margin
    image = cv2.resize(canvas, (wide, wide), interpolation=cv2.INTER_AREA)
    camera = np.array([[1, 0, -margin + shot.dx], [0, 1, -margin + shot.dy]], np.float32)
    image = cv2.warpAffine(image, camera, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    noise = np.random.default_rng(shot.noise_seed).normal(0, 0.015, image.shape)
    return np.asarray(np.round(255 * np.clip(image * shot.exposure + noise, 0, 1)), np.uint8)
