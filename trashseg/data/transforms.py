"""Augmentation: one random warp of image and mask, then changes of the photo's look.

All geometry is composed into one matrix (and one displacement field), so an
image is interpolated once however many steps are on. What lies outside of the
image is VOID in the mask. Every number comes from the generator passed in.

H, W height and width in pixels, C colours r, g, b.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.resizing import resize as resize
from trashseg.data.resizing import resize_mask as resize_mask

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Matrix = NDArray[np.float64]

GREY = 127
"""What is seen outside of an image and in dropped holes."""


def augment(
    image_HWC: Image, mask_HW: Mask, size: tuple[int, int], config: AugmentConfig, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """A random variation of an image and its mask at `size` (height, width)."""
    matrix = _placement((mask_HW.shape[0], mask_HW.shape[1]), size)
    matrix = _random_geometry(size, config, rng) @ matrix
    displacement_HW2 = None
    if rng.random() < config.elastic:
        displacement_HW2 = _displacement(size, config.elastic_fraction, rng)
    image_HWC, mask_HW = _warp(image_HWC, mask_HW, matrix, size, displacement_HW2)
    return change_look(image_HWC, config, rng), mask_HW


def change_look(image_HWC: Image, config: AugmentConfig, rng: np.random.Generator) -> Image:
    """Light, colour, blur and holes: what leaves the mask as it is."""
    if rng.random() < config.light:
        image_HWC = np.asarray(cv2.LUT(image_HWC, _light_table(config.light_range, rng)), np.uint8)
    if rng.random() < config.to_gray:
        image_HWC = np.asarray(cv2.cvtColor(cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    if rng.random() < config.blur:
        image_HWC = np.asarray(cv2.GaussianBlur(image_HWC, (0, 0), rng.uniform(0.5, 1.5)), np.uint8)
    if rng.random() < config.grid_dropout:
        image_HWC = _grid_dropout(image_HWC, config.grid_holes, rng)
    return image_HWC


def _placement(source: tuple[int, int], size: tuple[int, int]) -> Matrix:
    """The matrix that fills `size` with the whole source, pixel centres kept in place."""
    y, x = size[0] / source[0], size[1] / source[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def _random_geometry(size: tuple[int, int], config: AugmentConfig, rng: np.random.Generator) -> Matrix:
    """Zoom, stretch, rotation, shift, perspective and flips around the centre of `size`."""
    height, width = size
    centre = _shift((width - 1) / 2, (height - 1) / 2)
    matrix = np.eye(3)
    if rng.random() < config.geometry:
        matrix = _random_affine(size, config, rng)
    if rng.random() < config.perspective:
        matrix = matrix @ np.array([[1, 0, 0], [0, 1, 0], [*rng.uniform(-0.25, 0.25, 2) / (width, height), 1]])
    if rng.random() < config.rotate90:
        turns = rng.integers(1, 4)
        aspect = np.diag([width / height if turns % 2 else 1.0, height / width if turns % 2 else 1.0, 1.0])
        matrix = aspect @ _rotation(np.pi / 2 * turns) @ matrix
    flips = (rng.random() < config.horizontal_flip, rng.random() < config.vertical_flip)
    matrix = np.diag([-1.0 if flips[0] else 1.0, -1.0 if flips[1] else 1.0, 1.0]) @ matrix
    return centre @ matrix @ np.linalg.inv(centre)


def _random_affine(size: tuple[int, int], config: AugmentConfig, rng: np.random.Generator) -> Matrix:
    """Zoom with a random place of the crop, stretch, rotation and shift, around the origin."""
    height, width = size
    zoom = np.exp(rng.uniform(np.log(config.scale_min), np.log(config.scale_max)))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(config.aspect))
    turned = _rotation(np.deg2rad(rng.uniform(-1, 1) * config.rotate_degrees))
    room = max(0.0, zoom - 1) / 2 + config.shift  # a zoomed image may be moved until its edge is met
    x, y = rng.uniform(-room, room, 2) * (width, height)
    return _shift(x, y) @ np.diag([zoom * stretch, zoom / stretch, 1.0]) @ turned


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def _rotation(angle: float) -> Matrix:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def _displacement(size: tuple[int, int], fraction: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random field of displacements in pixels, (H, W, 2) in x, y order."""
    coarse = rng.uniform(-1, 1, (6, 6, 2)).astype(np.float32) * (fraction * max(size))
    return np.asarray(cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def _warp(
    image_HWC: Image,
    mask_HW: Mask,
    matrix: Matrix,
    size: tuple[int, int],
    displacement_HW2: NDArray[np.float32] | None,
) -> tuple[Image, Mask]:
    """Image (bilinear, grey outside) and mask (nearest, VOID outside) under `matrix`, source to output."""
    height, width = size
    mask_matrix = matrix
    image_HWC, matrix = _shrink(image_HWC, matrix)
    # not mirrored: OpenCV reflects in steps of one image, for ever where a perspective reaches the horizon
    outside, grey = cv2.BORDER_CONSTANT, (GREY, GREY, GREY)
    if displacement_HW2 is None:
        image = cv2.warpPerspective(
            image_HWC, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=outside, borderValue=grey
        )
        mask = cv2.warpPerspective(
            mask_HW, mask_matrix, (width, height), flags=cv2.INTER_NEAREST, borderMode=outside, borderValue=VOID
        )
    else:
        there = _lookup(matrix, displacement_HW2, nearest=False)
        masked = _lookup(mask_matrix, displacement_HW2, nearest=True)
        image = cv2.remap(image_HWC, *there, cv2.INTER_LINEAR, borderMode=outside, borderValue=grey)
        mask = cv2.remap(mask_HW, *masked, cv2.INTER_NEAREST, borderMode=outside, borderValue=VOID)
    return np.asarray(image, np.uint8), np.asarray(mask, np.uint8)


def _shrink(image_HWC: Image, matrix: Matrix) -> tuple[Image, Matrix]:
    """Average whole blocks of pixels first where the matrix would skip them."""
    scale = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    factor = int(1 / max(scale, 1e-3))
    if factor < 2:
        return image_HWC, matrix
    height, width = (max(1, side // factor) for side in image_HWC.shape[:2])
    small_HWC = np.asarray(cv2.resize(image_HWC, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    back = np.linalg.inv(_placement((image_HWC.shape[0], image_HWC.shape[1]), (height, width)))
    return small_HWC, matrix @ back


def _lookup(
    matrix: Matrix, displacement_HW2: NDArray[np.float32], nearest: bool
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """The source position of each output pixel, as `cv2.remap`'s whole and fractional parts.

    Not as floats: with those OpenCV 5.0.0 gives other pixels from one process to the next.
    """
    height, width = displacement_HW2.shape[:2]
    grid_HW2 = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    places = cv2.perspectiveTransform((grid_HW2 + displacement_HW2).reshape(1, -1, 2), np.linalg.inv(matrix))
    floats_HW2 = np.clip(np.asarray(places, np.float32), -32000, 32000).reshape(height, width, 2)
    if nearest:
        return np.rint(floats_HW2).astype(np.int16), np.empty(0, np.uint16)
    whole, fraction = cv2.convertMaps(floats_HW2, np.empty(0, np.float32), cv2.CV_16SC2)
    return np.asarray(whole, np.int16), np.asarray(fraction, np.uint16)


def _light_table(reach: float, rng: np.random.Generator) -> Image:
    """A lookup table (256,) of a random gamma, contrast and brightness."""
    gamma, contrast, brightness = np.exp(rng.uniform(-1, 1, 3) * np.log1p(reach))
    value = (np.arange(256) / 255) ** gamma
    value = ((value - 0.5) * contrast + 0.5) * brightness
    return np.asarray(np.clip(255 * value + 0.5, 0, 255), np.uint8)


def _grid_dropout(image_HWC: Image, share: float, rng: np.random.Generator) -> Image:
    """Grey holes on a grid of a random pitch and place (GridMask, arXiv:2001.04086)."""
    height, width = image_HWC.shape[:2]
    pitch = int(rng.integers(max(4, min(height, width) // 8), max(5, min(height, width) // 3)))
    y, x = rng.integers(0, pitch, 2)
    hole = max(1, int(pitch * share))
    rows, columns = (np.arange(height) + y) % pitch < hole, (np.arange(width) + x) % pitch < hole
    dropped_HWC = image_HWC.copy()
    dropped_HWC[rows[:, None] & columns] = GREY
    return dropped_HWC
