"""Settings of the augmentation (`augment` in params.yaml)."""

from pydantic import Field, model_validator

from trashseg.config import Section


class AugmentConfig(Section):
    """How training images are varied; a probability of 0 turns a step off."""

    horizontal_flip: float = Field(0.5, ge=0, le=1, description="probability of a left-right flip")
    vertical_flip: float = Field(0.0, ge=0, le=1, description="probability of a top-bottom flip")
    rotate90: float = Field(0.0, ge=0, le=1, description="probability of a turn by 90, 180 or 270 degrees")
    geometry: float = Field(0.8, ge=0, le=1, description="probability of scale, aspect, rotation and shift")
    scale_min: float = Field(0.5, gt=0, description="smallest zoom: 0.5 shows the image at half its size")
    scale_max: float = Field(2.0, gt=0, description="largest zoom: 2 shows a crop of half the sides")
    aspect: float = Field(1.2, ge=1, description="largest stretch of width against height, either way")
    rotate_degrees: float = Field(15.0, ge=0, le=180, description="largest rotation, either way")
    shift: float = Field(0.1, ge=0, le=1, description="largest shift as a fraction of the side")
    perspective: float = Field(0.2, ge=0, le=1, description="probability of a perspective change")
    elastic: float = Field(0.2, ge=0, le=1, description="probability of an elastic deformation")
    elastic_fraction: float = Field(0.03, ge=0, le=0.2, description="its largest displacement, a fraction of the side")
    grid_dropout: float = Field(0.2, ge=0, le=1, description="probability of a grid of grey holes (labels stay)")
    grid_holes: float = Field(0.4, gt=0, lt=1, description="side of a hole as a fraction of its grid cell")
    light: float = Field(0.5, ge=0, le=1, description="probability of another brightness, contrast and gamma")
    light_range: float = Field(0.25, ge=0, lt=1, description="how far brightness, contrast and gamma may go from 1")
    to_gray: float = Field(0.1, ge=0, le=1, description="probability of a photo without colour")
    blur: float = Field(0.1, ge=0, le=1, description="probability of a Gaussian blur")
    online_copy_paste: float = Field(0.0, ge=0, le=1, description="probability of objects pasted from another image")
    cut_mix: float = Field(0.0, ge=0, le=1, description="probability per batch of rectangles of other images")
    class_mix: float = Field(0.0, ge=0, le=1, description="probability per batch of half the classes of other images")

    @model_validator(mode="after")
    def _scales_in_order(self) -> "AugmentConfig":
        if self.scale_min > self.scale_max:
            raise ValueError(f"scale_min {self.scale_min} is above scale_max {self.scale_max}")
        return self
