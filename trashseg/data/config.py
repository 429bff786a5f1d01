"""Settings of the dataset and masks stages: where the data comes from and how labels are painted."""

from typing import Literal

from pydantic import Field

from trashseg.config import Section


class TacoConfig(Section):
    """`data.taco`: how TACO's photos are had. `data.root` holds TACO's annotations.json."""

    photos: str = Field("downloads/taco", description="folder the photos are kept in, outside of artifacts/")
    classes: str | None = Field(None, description="table taco,class of your own; null: the one that ships")
    url_key: Literal["flickr_url", "flickr_640_url"] = Field("flickr_url", description="large or small photos")
    longest_side_px: int = Field(1024, ge=64, le=8192, description="larger photos are shrunk to this")
    test_fraction: float = Field(0.2, ge=0, lt=1, description="share of the images held out, by whole batches")
    max_missing_fraction: float = Field(0.1, ge=0, le=1, description="share of photos that may be missing")
    workers: int = Field(8, ge=1, le=64, description="downloads at a time")
    timeout_s: float = Field(30.0, gt=0, description="wait for a server's answer")


class DataConfig(Section):
    """`data:` of params.yaml. File names are relative to `root`."""

    source: Literal["sample", "coco", "taco", "contest"] = Field(
        "sample", description="sample (drawn), coco (your own), taco (downloaded), contest (NAVER layout)"
    )
    root: str = Field("trashseg/data/sample", description="folder the dataset is made from")
    train_json: str = Field("train_all.json", description="COCO file of the labelled images")
    test_json: str | None = Field("test.json", description="COCO file of the images to predict; null: none")
    test_labels_json: str | None = Field(None, description="true labels of the test images, if known")
    unlabelled: str | None = Field(
        None, description="more photos to make pseudo labels of: a COCO file or a folder below `root`; null: none"
    )
    group_key: str | None = Field(None, description="image key whose equal values never straddle a split")
    ignore_categories: tuple[str, ...] = Field(
        ("UNKNOWN",), description="categories whose pixels are neither trained on nor scored (255 in the masks)"
    )
    merge_categories: dict[str, str] = Field(
        {}, description="categories taken for another one, as in {UNKNOWN: General trash}"
    )
    near_duplicate_bits: int = Field(
        48, ge=-1, le=128, description="of 256-bit hashes, how many may differ in near-duplicates; -1: do not look"
    )
    max_megapixels: float = Field(64.0, gt=0, le=1024, description="a larger image is an error")
    images: Literal["copy", "symlink"] = Field(
        "copy", description="images in artifacts/dataset; never symlink under a DVC cache.type of hardlink"
    )
    jobs: int = Field(0, ge=0, le=256, description="processes that check images; 0: every core")
    taco: TacoConfig = Field(TacoConfig(), description="only for source: taco")


class SampleConfig(Section):
    """`sample:` of params.yaml: the scenes `source: sample` draws."""

    train_images: int = Field(1000, ge=1, le=100_000, description="labelled scenes")
    test_images: int = Field(250, ge=0, le=100_000, description="scenes to predict")
    side_px: int = Field(256, ge=32, le=1024, description="height and width of a scene")
    objects_per_image: float = Field(2.6, ge=0.5, le=8, description="mean number of objects in a scene that has any")
    empty_fraction: float = Field(0.04, ge=0, le=0.5, description="share of scenes without an object")
    duplicate_fraction: float = Field(0.05, ge=0, le=0.5, description="share of scenes shot a second time")


class MasksConfig(Section):
    """`masks:` of params.yaml."""

    seam_repair: bool = Field(False, description="fill 1-px background cracks between touching objects")
    crowd: Literal["paint", "ignore"] = Field("paint", description="iscrowd regions: their class, or 255")
    jobs: int = Field(0, ge=0, le=256, description="processes; 0: every core")
