"""Settings of prediction, ensemble, pseudo labels and export."""

from typing import Annotated, Literal

from pydantic import Field

from trashseg.config import Section

Scale = Annotated[float, Field(ge=0.25, le=4)]
Flip = Literal["none", "horizontal", "vertical", "both"]


class PredictConfig(Section):
    """`predict:` of params.yaml: how a network looks at a photo."""

    view: Literal["whole", "windows"] = Field(
        "whole", description="whole: resized to the trained size, as in training; windows: its own pixels, cut in tiles"
    )
    scales: list[Scale] = Field([1.0], min_length=1, description="sizes to look at, as factors; answers are averaged")
    flips: list[Flip] = Field(["none", "horizontal"], min_length=1, description="mirror images to look at as well")
    window_overlap: float = Field(0.5, ge=0, lt=1, description="of neighbouring windows, a fraction of their side")
    keep_single: bool = Field(
        True, description="also keep what a single look sees, so that `evaluate` tells what the others gain"
    )
    batch_size: int = Field(
        8, ge=1, description="tiles that go through the network together; on the CPU photos, one a core at most"
    )
    precision: Literal["auto", "32", "bf16", "16"] = Field("auto", description="auto: bf16 on a GPU, 32 on the CPU")
    device: str = Field("auto", description="auto: a GPU where there is one; or cpu, cuda, cuda:1")
    workers: int = Field(
        0, ge=0, description="beside a GPU, threads that read photos and write answers; 0: one for each core"
    )
    max_megapixels: float = Field(64.0, gt=0, description="a larger photo is an error")


class EnsembleConfig(Section):
    """`ensemble:` of params.yaml: how members become one answer."""

    method: Literal["soft", "vote"] = Field("soft", description="soft: mean probabilities; vote: most members win")
    weights: Literal["equal", "member", "class"] = Field(
        "member", description="equal, or fitted out of fold: one for each member, or for each member and class"
    )
    with_teacher: bool = Field(
        False,
        description="the teacher round's networks, not those of rounds before it, are members, too; "
        "out of fold they know no more than its own",
    )
    fit_pixels: int = Field(1_000_000, ge=1000, description="out-of-fold pixels that weights are fitted on, at most")
    priority: list[str] = Field(
        default_factory=list, description="classes that win a tied vote, first wins; others follow, rarest first"
    )
    workers: int = Field(0, ge=0, description="images at a time; 0: one for each core")


class PseudoLabelConfig(Section):
    """`pseudo_label:` of params.yaml: which predictions of images without labels may be learned from, and how much."""

    sources: list[Literal["test", "pool"]] = Field(
        ["test", "pool"], min_length=1, description="test: the images to predict; pool: those of data.unlabelled"
    )
    precision: float = Field(0.9, gt=0, lt=1, description="share of right pixels a class's threshold must reach")
    min_confidence: float = Field(0.6, ge=0, lt=1, description="no threshold is below this probability")
    max_confidence: float = Field(0.98, gt=0, le=1, description="a class that needs more is left unsure (255)")
    min_area_px: int = Field(64, ge=0, description="sure regions smaller than this become unsure, pixels")
    min_sure: float = Field(0.5, ge=0, le=1, description="an image is used where at least this share of it is sure")
    min_object_px: int = Field(
        1, ge=0, description="an image is used with at least this many sure pixels of other classes than Background"
    )
    max_images: int | None = Field(None, ge=1, description="images used, most confident first; null: no limit")
    class_balance: float = Field(
        0.0, ge=0, description="most images of one class, as a multiple of the median class; 0: no limit"
    )
    weight: float = Field(0.5, gt=0, description="how often an image is drawn, against a labelled one")
    max_share: float = Field(
        0.5, gt=0, le=1, description="limit of the pseudo labels' weight, as a share of the labelled images'"
    )
    min_images: int = Field(10, ge=1, description="fewer usable images: the round is declined")
    min_teacher_miou: float = Field(
        0.3, ge=0, le=1, description="a teacher below this out-of-fold mIoU: the round is declined"
    )
    min_teacher_gain: float | None = Field(
        0.0, description="a teacher not more than this above its own teacher: the round is declined; null: any gain"
    )
    fit_pixels: int = Field(1_000_000, ge=1000, description="out-of-fold pixels that thresholds are fitted on, at most")
    workers: int = Field(0, ge=0, description="images at a time; 0: one for each core")


class ExportConfig(Section):
    """`export:` of params.yaml: the ONNX files of the selected round."""

    members: Literal["best", "all"] = Field("best", description="of each network the fold that scored best, or all")
    opset: int = Field(18, ge=17, le=23, description="ONNX operator set")
    tolerance: float = Field(1e-3, gt=0, description="largest difference of a probability to torch's own answer")
    parity_images: int = Field(4, ge=1, description="photos that the export is compared on")
    latency_runs: int = Field(5, ge=1, description="runs whose median is the latency")
