"""Settings of the `refine` stage: which CRF parameters are tried, and when the result is kept."""

from itertools import product
from typing import Annotated, Literal

from pydantic import Field

from trashseg.config import Section
from trashseg.inference.crf import CrfParameters

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=100)]


class RefineConfig(Section):
    """DenseCRF: every combination of the lists is tried out of fold; the best one is kept if it surely helps."""

    engine: Literal["auto", "pydensecrf", "lattice", "torch"] = Field(
        "auto", description="what computes it, all with the same answer; auto: lattice for much work, else pydensecrf"
    )
    apply: Literal["if_sure", "always"] = Field(
        "if_sure", description="if_sure: only where the gain's interval is above 0; always: to see what it does"
    )
    gaussian_sxy: list[Positive] = Field([3.0], min_length=1, description="reach of the smoothness term, pixels")
    gaussian_compat: list[Weight] = Field([3.0], min_length=1, description="weight of the smoothness term")
    bilateral_sxy: list[Positive] = Field([50.0], min_length=1, description="reach of the colour term, pixels")
    bilateral_srgb: list[Positive] = Field(
        [5.0, 13.0], min_length=1, description="reach of the colour term, grey levels"
    )
    bilateral_compat: list[Weight] = Field([2.0, 4.0, 10.0], min_length=1, description="weight of the colour term")
    iterations: list[Count] = Field([10], min_length=1, description="mean-field steps")
    search_images: int = Field(200, ge=1, description="out-of-fold images that parameters are searched on, at most")
    keep_area_px: int = Field(
        400,
        ge=0,
        description="objects up to this area that every member sees are put back where the CRF took them away",
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="of the bootstrap interval of the gain, which must be > 0"
    )
    bootstrap_samples: int = Field(1000, ge=100, le=100_000, description="draws of that bootstrap")
    workers: int = Field(0, ge=0, description="images at a time; 0 means one for each core")

    def candidates(self) -> tuple[CrfParameters, ...]:
        """Every combination, in the order of the lists."""
        return tuple(
            CrfParameters(*values)
            for values in product(
                self.gaussian_sxy,
                self.gaussian_compat,
                self.bilateral_sxy,
                self.bilateral_srgb,
                self.bilateral_compat,
                self.iterations,
            )
        )
