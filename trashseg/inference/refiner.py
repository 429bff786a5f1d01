"""One image's probabilities, photo and members' predictions in; its refined mask out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trashseg.inference.crf import CrfParameters, Engine, argmax, refined_mask
from trashseg.inference.probabilities import ProbabilityStore
from trashseg.inference.small_objects import keep_agreed
from trashseg.io import read_image

Candidate = CrfParameters | None
"""None: the ensemble untouched."""


@dataclass(frozen=True)
class Refiner:
    """All that turns one image's probabilities into masks."""

    photos: Mapping[int, Path]
    store: ProbabilityStore
    members: Mapping[int, Sequence[ProbabilityStore]]
    solve: Engine
    keep_area_px: int

    def masks(self, image_id: int, candidates: Sequence[Candidate]) -> list[NDArray[np.uint8]]:
        """The image's mask under each candidate."""
        probabilities_CHW = self.store.read(image_id)
        before_HW = argmax(probabilities_CHW)
        if all(candidate is None for candidate in candidates):
            return [before_HW] * len(candidates)
        image_HWC = read_image(self.photos[image_id])
        return [
            before_HW if candidate is None else self.refined(image_id, probabilities_CHW, image_HWC, candidate)
            for candidate in candidates
        ]

    def refined(
        self,
        image_id: int,
        probabilities_CHW: NDArray[np.float32],
        image_HWC: NDArray[np.uint8],
        parameters: CrfParameters,
    ) -> NDArray[np.uint8]:
        """The mask under one parameter set, with small objects that all members see put back."""
        after_HW = refined_mask(probabilities_CHW, image_HWC, parameters, self.solve)

        def members() -> list[NDArray[np.uint8]]:
            return [argmax(store.read(image_id)) for store in self.members[image_id]]

        return keep_agreed(argmax(probabilities_CHW), after_HW, members, self.keep_area_px)
