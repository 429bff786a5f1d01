"""What objects look like: a colour per pixel from the object's own coordinates.

A material takes (rng, x, y): x, y are (H, W) float32 object coordinates, about
[-1, 1] on the object. It gives colours (H, W, 3) in [0, 1] and an opacity.
"""

from collections.abc import Callable

import numpy as np

from trashseg.data.sample.textures import (
    Colour,
    Field,
    Generator,
    fractal_noise,
    jittered,
    mix,
    rgb,
    smooth_noise,
    stripes,
)

Material = Callable[[Generator, Field, Field], tuple[Field, float]]

OPAQUE = 1.0


def cylinder(x: Field, half_width: float = 0.6, gloss: float = 0.5) -> Field:
    """Light on an upright cylinder, (H, W, 1): dark rims and a bright streak left of the middle."""
    across = np.clip(x / half_width, -1, 1)
    light = 0.45 + 0.55 * np.sqrt(1 - 0.95 * across**2)
    streak = gloss * np.exp(-(((across + 0.35) / 0.16) ** 2))
    return np.asarray(light + streak)[..., None]


def folds(rng: Generator, x: Field, y: Field, waves: float) -> Field:
    """Creases of foil, cloth or plastic film: a bent sine, [0, 1]."""
    side = x.shape[0]
    angle = rng.uniform(0, np.pi)
    bend = 2.5 * smooth_noise(rng, side, 5)
    phase = waves * (x * np.cos(angle) + y * np.sin(angle)) + waves * bend
    return np.asarray(0.5 + 0.5 * np.sin(phase), np.float32)


def facets(rng: Generator, x: Field, y: Field, count: int = 16) -> Field:
    """A crumpled surface: flat patches of different brightness, [0, 1]."""
    points = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    tones = rng.random(count, np.float32)
    distance = (x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2
    shade: Field = tones[np.argmin(distance, axis=-1)]
    return shade


def litter(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """Mixed rubbish: brown and rust patches with specks."""
    patches = mix(facets(rng, x, y, 22), jittered(rng, (0.20, 0.12, 0.10)), jittered(rng, (0.62, 0.36, 0.26)))
    specks = stripes(fractal_noise(rng, x.shape[0], 14), 0.25, 0.2)[..., None]
    return patches * (1 - 0.35 * specks), OPAQUE


def wrapper(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A snack wrapper: orange and magenta blocks, creased."""
    block = stripes(x + 0.6 * y, rng.uniform(0.7, 1.1))
    colour = mix(block, jittered(rng, (0.85, 0.35, 0.12)), jittered(rng, (0.70, 0.10, 0.38)))
    return colour * (0.65 + 0.5 * folds(rng, x, y, 7))[..., None], OPAQUE


def paper(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """Cream paper with lines of print."""
    colour = mix(smooth_noise(rng, x.shape[0], 6), jittered(rng, (0.84, 0.80, 0.68), 0.03), (0.97, 0.95, 0.87))
    print_HW = stripes(y + 1, 0.22, 0.4) * stripes(x + 0.2 * fractal_noise(rng, x.shape[0], 9), 0.31, 0.8)
    inside = (np.abs(x) < 0.5) & (np.abs(y) < 0.75)
    return colour * (1 - 0.5 * print_HW * inside)[..., None], OPAQUE


def crumpled_paper(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A ball of cream paper."""
    return mix(facets(rng, x, y), jittered(rng, (0.62, 0.58, 0.47), 0.03), (0.98, 0.95, 0.85)), OPAQUE


def cardboard(rng: Generator, x: Field, _y: Field) -> tuple[Field, float]:
    """Brown corrugated board."""
    colour = mix(smooth_noise(rng, x.shape[0], 5), jittered(rng, (0.62, 0.47, 0.28), 0.03), (0.80, 0.65, 0.43))
    return colour * (1 - 0.16 * stripes(x, 0.11))[..., None], OPAQUE


def pack(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A drink carton: white above, strong green below, a dark side face and a round emblem."""
    body = rgb(jittered(rng, (0.10, 0.55, 0.22)))
    colour = np.where((y < -0.25 + 0.1 * np.sin(4 * x))[..., None], rgb([0.93, 0.95, 0.93]), body)
    emblem = ((x + 0.05) ** 2 + (y - 0.35) ** 2 < 0.07)[..., None]
    colour = np.where(emblem, rgb([0.95, 0.85, 0.15]), colour)
    return (colour * np.where(x > 0.33, 0.6, 1.0)[..., None]).astype(np.float32), OPAQUE


def paper_cup(rng: Generator, x: Field, _y: Field) -> tuple[Field, float]:
    """A paper cup: green and white vertical stripes."""
    stripe = stripes(x + 3, rng.uniform(0.26, 0.34))
    colour = mix(stripe, jittered(rng, (0.10, 0.50, 0.24)), (0.94, 0.95, 0.92))
    return colour * cylinder(x, 0.7, 0.1), OPAQUE


def can(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A drink can: bare metal ends, a red or blue band, a hard streak of light."""
    paint = jittered(rng, ((0.80, 0.05, 0.08), (0.10, 0.22, 0.75))[int(rng.integers(2))])
    metal = rgb(jittered(rng, (0.62, 0.64, 0.68), 0.03))
    colour = np.where((np.abs(y) < 0.55)[..., None], rgb(paint), metal)
    return (colour * cylinder(x, 0.6, 0.9)).astype(np.float32), OPAQUE


def foil(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """Bare metal: steel blue with hard glints."""
    field = 0.55 * folds(rng, x, y, 13) ** 3 + 0.45 * facets(rng, x, y, 20)
    return mix(field, jittered(rng, (0.20, 0.25, 0.36), 0.02), (0.85, 0.92, 1.0)), OPAQUE


def glass(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """Bottle glass: deep green or brown, partly seen through, with a streak."""
    tint = jittered(rng, ((0.02, 0.36, 0.20), (0.42, 0.18, 0.02))[int(rng.integers(2))], 0.03)
    colour = rgb(tint) * np.ones((*x.shape, 1), np.float32)
    label = ((np.abs(y - 0.4) < 0.18) & (np.abs(x) < 0.5))[..., None] * (rng.random() < 0.5)
    colour = np.where(label, rgb(jittered(rng, (0.80, 0.72, 0.50))), colour)
    return (colour * cylinder(x, 0.45, 1.6)).astype(np.float32), 0.85


def shard_glass(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """Broken bottle glass: green facets with bright edges."""
    field = 0.6 * facets(rng, x, y, 12) + 0.4 * stripes(x - y, 0.37, 0.12)
    return mix(field, jittered(rng, (0.02, 0.36, 0.20), 0.02), jittered(rng, (0.40, 0.90, 0.62), 0.04)), 0.92


def clear_plastic(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A water bottle: clear cyan with ribs, a blue cap and a label band."""
    ribs = 0.75 + 0.25 * np.sin(22 * y)
    colour = rgb(jittered(rng, (0.55, 0.82, 0.92), 0.03)) * ribs[..., None]
    colour = np.where((np.abs(y - 0.1) < 0.2)[..., None], rgb(jittered(rng, (0.15, 0.45, 0.90))), colour)
    colour = np.where((y < -0.82)[..., None], rgb((0.08, 0.25, 0.85)), colour)
    return (colour * cylinder(x, 0.45, 0.6)).astype(np.float32), 0.78


def tub(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A moulded plastic pot: one strong cyan or violet, glossy, with a rim."""
    tint = jittered(rng, ((0.05, 0.62, 0.80), (0.45, 0.20, 0.75))[int(rng.integers(2))])
    rim = np.where(y < -0.7, 1.25, 1.0)[..., None]
    return (rgb(tint) * rim * cylinder(x, 0.75, 0.7)).astype(np.float32), OPAQUE


def foam(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """Styrofoam: cold white beads, shaded by face."""
    beads = 0.86 + 0.14 * fractal_noise(rng, x.shape[0], 34, 2)
    face = np.where(y < -0.2 + 0.45 * np.abs(x), 1.0, np.where(x < 0, 0.90, 0.76))
    return (rgb((0.93, 0.97, 1.0)) * (beads * face)[..., None]).astype(np.float32), OPAQUE


def foam_tray(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A styrofoam tray: cold white with a sunken floor."""
    beads = 0.86 + 0.14 * fractal_noise(rng, x.shape[0], 34, 2)
    floor = np.where((np.abs(x) < 0.75) & (np.abs(y) < 0.42), 0.84, 1.0)
    return (rgb((0.94, 0.97, 1.0)) * (beads * floor)[..., None]).astype(np.float32), OPAQUE


def film(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A plastic bag: thin pink, yellow or black film with many soft creases."""
    tints: tuple[Colour, ...] = ((0.95, 0.55, 0.68), (0.96, 0.82, 0.20), (0.13, 0.13, 0.17))
    tint = jittered(rng, tints[int(rng.choice(3, p=(0.45, 0.35, 0.2)))], 0.04)
    creases = 0.6 * folds(rng, x, y, 9) ** 2 + 0.4 * folds(rng, x, y, 15) ** 4
    r, g, b = (min(1.0, channel + 0.38) for channel in tint)
    return mix(creases, jittered(rng, tint, 0.02), (r, g, b)) * 0.92, 0.88


def cell_skin(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A battery: copper end, black body, a thin gold line."""
    copper, black = rgb(jittered(rng, (0.88, 0.50, 0.16), 0.03)), rgb((0.07, 0.07, 0.09))
    colour = np.where((y < -0.25)[..., None], copper, black)
    colour = np.where((np.abs(y - 0.65) < 0.06)[..., None], rgb((0.95, 0.80, 0.30)), colour)
    return (colour * cylinder(x, 0.45, 0.9)).astype(np.float32), OPAQUE


def cloth(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A striped jersey: red or navy on white, with soft folds."""
    tint = jittered(rng, ((0.72, 0.10, 0.16), (0.13, 0.17, 0.42))[int(rng.integers(2))], 0.03)
    colour = mix(stripes(y + 2, 0.26, 0.5), tint, (0.90, 0.88, 0.84))
    return colour * (0.7 + 0.35 * folds(rng, x, y, 5))[..., None], OPAQUE


def plaid(rng: Generator, x: Field, y: Field) -> tuple[Field, float]:
    """A checked weave in red and navy."""
    weave = 0.5 * stripes(x + 2, 0.4, 0.5) + 0.5 * stripes(y + 2, 0.4, 0.5)
    colour = mix(weave, jittered(rng, (0.14, 0.16, 0.40), 0.03), jittered(rng, (0.78, 0.16, 0.18), 0.04))
    return colour * (0.75 + 0.3 * folds(rng, x, y, 5))[..., None], OPAQUE
