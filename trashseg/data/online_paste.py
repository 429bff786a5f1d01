"""Copy-paste while training: objects of another training image, drawn anew every time.

Simple copy-paste (Ghiasi et al. 2021, arXiv:2012.07177): half the classes of
a random donor, mirrored half of the time, replace the pixels beneath.
"""

import numpy as np
from numpy.typing import NDArray

from trashseg.classes import VOID
from trashseg.data.dataset import ExampleCache
from trashseg.data.resizing import resize, resize_mask


class OnlinePaste:
    """(image_HWC, mask_HW, rng) -> both with the objects of a random example of `cache` set in."""

    def __init__(self, cache: ExampleCache) -> None:
        self.cache = cache

    def __call__(
        self, image_HWC: NDArray[np.uint8], mask_HW: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        donor_HWC, donor_HW = self.cache.read(int(rng.integers(len(self.cache.examples))))
        size = (mask_HW.shape[0], mask_HW.shape[1])
        donor_HWC, donor_HW = resize(donor_HWC, size), resize_mask(donor_HW, size)
        if rng.random() < 0.5:
            donor_HWC, donor_HW = donor_HWC[:, ::-1], donor_HW[:, ::-1]
        present = [value for value in np.unique(donor_HW).tolist() if value not in (0, VOID)]
        chosen = rng.permutation(present)[: (len(present) + 1) // 2]
        pasted_HW = np.isin(donor_HW, chosen)
        image_HWC = np.where(pasted_HW[..., None], donor_HWC, image_HWC)
        return image_HWC, np.where(pasted_HW, donor_HW, mask_HW)
