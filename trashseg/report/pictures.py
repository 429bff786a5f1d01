"""Photos with classes painted over them, as JPEG text that lies inside the page itself."""

import base64

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from trashseg.classes import VOID

STRENGTH = 0.6
WRONG = (235, 45, 45)
JPEG_QUALITY = 80


def _edges(mask_HW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour has another value."""
    edges_HW = np.zeros(mask_HW.shape, bool)
    edges_HW[:, :-1] |= mask_HW[:, :-1] != mask_HW[:, 1:]
    edges_HW[:-1] |= mask_HW[:-1] != mask_HW[1:]
    return edges_HW


def paint(image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with each class in its colour and white outlines; Background and unlabelled pixels stay as they are."""
    painted_HWC = image_HWC.copy()
    inside_HW = (mask_HW != 0) & (mask_HW != VOID)
    mixed = (1 - STRENGTH) * image_HWC[inside_HW] + STRENGTH * palette[mask_HW[inside_HW]]
    painted_HWC[inside_HW] = mixed.astype(np.uint8)
    painted_HWC[_edges(mask_HW)] = 255
    return painted_HWC


def _grey(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey_HW = cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY)
    return np.repeat((grey_HW // 2 + 110).astype(np.uint8)[:, :, None], 3, axis=2)


def mistakes(
    image_HWC: NDArray[np.uint8], truth_HW: NDArray[np.uint8], prediction_HW: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The photo in pale grey with wrong pixels in red; unlabelled pixels are never wrong."""
    shown_HWC = _grey(image_HWC)
    shown_HWC[(truth_HW != prediction_HW) & (truth_HW != VOID)] = WRONG
    return shown_HWC


def heat(image_HWC: NDArray[np.uint8], share_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo in pale grey, redder where `share_HW` in [0, 1] is higher."""
    amount_HW1 = np.sqrt(np.clip(share_HW, 0, 1))[:, :, None]
    mixed_HWC = _grey(image_HWC) * (1 - amount_HW1) + np.array(WRONG) * amount_HW1
    return np.asarray(mixed_HWC, np.uint8)


def shrink(image_HWC: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The image with its longer side at most `side_px`."""
    height, width = image_HWC.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return image_HWC
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)


def data_uri(image_HWC: NDArray[np.uint8], side_px: int) -> Markup:
    """The image as a `data:` address of a JPEG, its longer side at most `side_px`."""
    bgr_HWC = cv2.cvtColor(shrink(image_HWC, side_px), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr_HWC, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    assert done
    return Markup("data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode())
