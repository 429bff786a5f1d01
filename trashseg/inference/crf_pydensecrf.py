"""The reference engine: Philipp Krähenbühl's C++ through the `pydensecrf` bindings."""

import numpy as np
from numpy.typing import NDArray
from pydensecrf.densecrf import DenseCRF2D

from trashseg.inference.crf import CrfParameters, argmax, unary_energy


def solve(
    probabilities_CHW: NDArray[np.float32], image_HWC: NDArray[np.uint8], parameters: CrfParameters
) -> NDArray[np.uint8]:
    """The most likely class of each pixel (H, W), an index into the C classes given."""
    classes, height, width = probabilities_CHW.shape
    crf = DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(np.ascontiguousarray(unary_energy(probabilities_CHW).reshape(classes, -1)))
    crf.addPairwiseGaussian(sxy=parameters.gaussian_sxy, compat=parameters.gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=parameters.bilateral_sxy,
        srgb=parameters.bilateral_srgb,
        rgbim=image_HWC,
        compat=parameters.bilateral_compat,
    )
    return argmax(np.array(crf.inference(parameters.iterations), np.float32).reshape(classes, height, width))
