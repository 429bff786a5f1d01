"""The sections of params.yaml that shape folds and synthetic images."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trashseg.config import Section

Probability = Annotated[float, Field(ge=0, le=1)]


class SplitConfig(Section):
    """`split`: how the labelled images are dealt to the folds listed under `folds`."""

    method: Literal["greedy", "iterstrat", "stratified", "kfold", "given"] = Field(
        "greedy",
        description="greedy: equal pixels and images of every class; iterstrat: multi-label stratification over three "
        "labels per image; stratified: over the rarest class alone; kfold: at random; given: read from `file`",
    )
    group_by: str | None = Field(
        "group",
        description="key of the image rows whose images never straddle a split; `group` joins the user's own key and "
        "near-duplicates; null splits image by image",
    )
    file: str | None = Field(
        None,
        description="method given: a file in splits/, either folds.json or {file_name or image id: fold}, or a folder "
        "there of kfold_0_val.json, kfold_1_val.json ...",
    )

    @model_validator(mode="after")
    def _file_belongs_to_given(self) -> "SplitConfig":
        if (self.method == "given") != (self.file is not None):
            raise ValueError("`file` goes with `method: given`, and `method: given` needs a `file`")
        return self


class SynthesisConfig(Section):
    """What oversampling and copy-paste share: how much may be hidden, how the result is written."""

    count: int = Field(500, ge=0, le=999_999, description="images made for each fold; 0 turns the stage off")
    max_cover: Probability = Field(0.6, description="at most this share of an object already there may be covered")
    min_visible_px: int = Field(64, ge=1, description="no object, pasted or covered, may show fewer pixels than this")
    soft_edge_px: float = Field(1.0, ge=0, le=6, description="width of the blend at a pasted edge; 0 is hard")
    attempts: int = Field(8, ge=1, le=100, description="placements tried for one pair of images before another pair")
    format: Literal["jpg", "png"] = Field("jpg", description="of the images written; jpg is of quality 95")


class OversampleConfig(SynthesisConfig):
    """`oversample`: one object of a rare class, at its own place, onto a simple image."""

    rare_classes: tuple[str, ...] = Field(
        (), description="classes whose objects are pasted; none: those with fewer objects than half the median class"
    )
    min_area_px: int = Field(5000, ge=1, description="smallest object worth pasting")
    background_classes: tuple[str, ...] = Field(
        (), description="classes that an image pasted onto may hold; none: any but the rare ones"
    )
    max_annotations: int = Field(1, ge=0, description="most annotations that an image pasted onto may have")
    flip: Probability = Field(0.5, description="chance of a horizontal flip of the result")
    elastic: Probability = Field(0.5, description="chance of an elastic deformation of the result")
    elastic_px: float = Field(8.0, gt=0, le=200, description="typical displacement of the elastic deformation")


class CopyPasteConfig(SynthesisConfig):
    """`copy_paste`: the objects of one image onto another one."""

    count: int = Field(1500, ge=0, le=999_999, description="images made for each fold; 0 turns the stage off")
    patch_classes: tuple[str, ...] = Field(
        (), description="classes that both images must hold; none: those with fewer objects than the median class"
    )
    excluded_classes: tuple[str, ...] = Field((), description="classes that neither image may hold")
    only_patch_classes: bool = Field(False, description="paste the objects of the patch classes alone")
    quotas: dict[str, int] = Field(
        {}, description="class: images in which an object of it is pasted, of `count`; the rest are drawn freely"
    )
    jitter: Literal["none", "patch", "both"] = Field(
        "patch", description="large-scale jittering of what is pasted, or also of the image under it"
    )
    jitter_range: tuple[float, float] = Field((0.2, 2.0), description="smallest and largest scale of the jittering")
    large_px: int = Field(20_000, ge=1, description="a patch of more pixels is shrunk to half size")
    small_px: int = Field(5_000, ge=0, description="a patch of fewer pixels is enlarged to double size")
    flip: Probability = Field(0.5, description="chance of a horizontal flip of the patch")
    turn: bool = Field(True, description="turn patches of middle size by quarters and flip them at random")
    placement: Literal["own", "random"] = Field("random", description="where a patch goes: its own place, or anywhere")

    @model_validator(mode="after")
    def _consistent(self) -> "CopyPasteConfig":
        low, high = self.jitter_range
        if not 0.05 <= low <= high <= 8:
            raise ValueError("jitter_range must rise within 0.05..8")
        if self.small_px > self.large_px:
            raise ValueError("small_px must not exceed large_px")
        if any(quota < 0 for quota in self.quotas.values()) or sum(self.quotas.values()) > self.count:
            raise ValueError("quotas must be at least 0 and sum to at most count")
        return self
