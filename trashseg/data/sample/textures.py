"""Noise and surfaces: what the ground and the objects of a drawn scene are made of.

Fields are float32 in [0, 1] unless said otherwise; colours are r, g, b in [0, 1].
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[Any]
Colour = tuple[float, float, float]
Generator = np.random.Generator


def smooth_noise(rng: Generator, side: int, cells: float) -> Field:
    """Value noise of about `cells` bumps across, (side, side)."""
    grid = rng.random((max(2, round(cells)) + 2,) * 2, np.float32)
    return np.clip(cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC), 0, 1)


def fractal_noise(rng: Generator, side: int, cells: float, octaves: int = 4) -> Field:
    """Octaves of value noise, each twice as fine and half as strong, stretched to [0, 1]."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        total += smooth_noise(rng, side, min(cells * 2**octave, side)) * 0.5**octave
    return stretched(total)


def rgb(colour: Sequence[float] | Field) -> Field:
    """A colour as float32 (3,)."""
    return np.array(colour, np.float32)


def stretched(field: Field) -> Field:
    """The field scaled to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return (field - low) / max(high - low, 1e-6)


def mix(field: Field, dark: Colour, light: Colour) -> Field:
    """A colour ramp along a field: (H, W, 3)."""
    ramp: Field = rgb(dark) + field[..., None] * (rgb(light) - rgb(dark))
    return ramp


def jittered(rng: Generator, colour: Colour, amount: float = 0.06) -> Colour:
    """A colour near `colour`."""
    r, g, b = np.clip(np.asarray(colour) + rng.normal(0, amount, 3), 0, 1)
    return float(r), float(g), float(b)


def stripes(field: Field, period: float, duty: float = 0.5) -> Field:
    """1 where `field` modulo `period` lies in the first `duty` of it, else 0."""
    return np.asarray(np.mod(field, period) < period * duty, np.float32)


def asphalt(rng: Generator, side: int) -> Field:
    """Grey tarmac with grit and an oil stain."""
    grit = rng.random((side, side), np.float32)
    base = 0.35 * fractal_noise(rng, side, 4) + 0.25 * cv2.GaussianBlur(grit, (0, 0), 1.1) + 0.2
    stain = 1 - 0.35 * np.clip(smooth_noise(rng, side, 2) - 0.55, 0, 1)
    return mix(base * stain, jittered(rng, (0.16, 0.16, 0.17), 0.02), jittered(rng, (0.62, 0.61, 0.60), 0.04))


def grass(rng: Generator, side: int) -> Field:
    """Blades: noise stretched along one direction, in greens."""
    blades = cv2.GaussianBlur(rng.random((side, side), np.float32), (0, 0), sigmaX=0.8, sigmaY=4)
    blades = stretched(blades)
    field = 0.6 * blades + 0.4 * fractal_noise(rng, side, 5)
    return mix(field, (0.08, 0.16, 0.04), jittered(rng, (0.46, 0.58, 0.22), 0.05))


def sand(rng: Generator, side: int) -> Field:
    """Beige dunes with grain."""
    field = 0.6 * fractal_noise(rng, side, 3) + 0.4 * rng.random((side, side), np.float32)
    return mix(field, jittered(rng, (0.55, 0.44, 0.30), 0.03), jittered(rng, (0.86, 0.77, 0.60), 0.03))


def planks(rng: Generator, side: int) -> Field:
    """Wooden boards with grain and dark gaps."""
    y = np.linspace(0, rng.uniform(3, 6), side, dtype=np.float32)[:, None] + np.zeros((1, side), np.float32)
    grain = cv2.GaussianBlur(rng.random((side, side), np.float32), (0, 0), sigmaX=14, sigmaY=0.8)
    grain = stretched(grain)
    tone = rng.uniform(0.75, 1.0, 8).astype(np.float32)[np.floor(y).astype(int)]
    colour = mix(grain, jittered(rng, (0.30, 0.19, 0.11), 0.03), jittered(rng, (0.62, 0.45, 0.29), 0.04))
    gap = 1 - 0.7 * stripes(y, 1.0, 0.05)
    return np.asarray(colour * (tone * gap)[..., None])


def tiles(rng: Generator, side: int) -> Field:
    """Paving stones with joints."""
    step = side / rng.uniform(3, 5)
    x = np.arange(side, dtype=np.float32)[None, :] + rng.uniform(0, step)
    y = np.arange(side, dtype=np.float32)[:, None] + rng.uniform(0, step)
    joint = np.maximum(stripes(x + 0 * y, step, 0.05), stripes(y + 0 * x, step, 0.05))
    tone = rng.uniform(0.8, 1.0, (16, 16)).astype(np.float32)
    tone_HW = tone[(y // step).astype(int) % 16, (x // step).astype(int) % 16]
    base = mix(fractal_noise(rng, side, 6), jittered(rng, (0.45, 0.40, 0.37), 0.03), jittered(rng, (0.70, 0.64, 0.58)))
    return np.asarray(base * (tone_HW * (1 - 0.45 * joint))[..., None])


def soil(rng: Generator, side: int) -> Field:
    """Dark earth with crumbs."""
    field = 0.7 * fractal_noise(rng, side, 8, 5) + 0.3 * rng.random((side, side), np.float32)
    return mix(field, (0.12, 0.08, 0.05), jittered(rng, (0.45, 0.34, 0.24), 0.04))


GROUNDS: tuple[Callable[[Generator, int], Field], ...] = (asphalt, grass, sand, planks, tiles, soil)


def ground(rng: Generator, side: int) -> Field:
    """One of the grounds, turned by a quarter now and then: (side, side, 3)."""
    surface = GROUNDS[int(rng.integers(len(GROUNDS)))](rng, side)
    return np.ascontiguousarray(np.rot90(surface, int(rng.integers(4))), np.float32)
