"""Settings of the `evaluate`, `select` and `submission` stages."""

from typing import Literal

from pydantic import Field

from trashseg.config import Section


class EvaluateConfig(Section):
    """`evaluate:` of params.yaml."""

    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the bootstrap intervals")
    bootstrap_samples: int = Field(1000, ge=100, le=100_000, description="draws of images for each interval")
    workers: int = Field(0, ge=0, le=256, description="images at a time; 0 means one for each core")


class SelectConfig(Section):
    """`select:` of params.yaml."""

    metric: Literal["miou", "miou_256"] = Field("miou_256", description="the out-of-fold score rounds are chosen by")
    min_gain: float = Field(
        0.0, ge=0, le=1, description="a later round must be better by more than this to replace an earlier one"
    )


class SubmissionConfig(Section):
    """`submission:` of params.yaml."""

    side: int = Field(256, ge=1, le=4096, description="rows and columns of the grid that is submitted")
