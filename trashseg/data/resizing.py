"""Whole images and masks at another size: training and prediction must do it alike.

H, W height and width in pixels, C colours r, g, b.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]


def resize(image_HWC: Image, size: tuple[int, int]) -> Image:
    """The whole image at `size` (height, width): area averages when smaller, bilinear when larger."""
    height, width = size
    if image_HWC.shape[:2] == size:
        return image_HWC
    smaller = image_HWC.shape[0] > height or image_HWC.shape[1] > width
    return np.asarray(
        cv2.resize(image_HWC, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR), np.uint8
    )


def resize_mask(mask_HW: Mask, size: tuple[int, int]) -> Mask:
    """The mask at `size` (height, width), by its nearest pixels."""
    if mask_HW.shape == size:
        return mask_HW
    return np.asarray(cv2.resize(mask_HW, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
