"""Settings of the `report` stage."""

from pydantic import Field

from trashseg.config import Section


class ReportConfig(Section):
    """What the HTML report shows."""

    best: int = Field(6, ge=0, le=50, description="Examples shown of photos that came out best.")
    worst: int = Field(6, ge=0, le=50, description="Examples shown of photos that came out worst.")
    crf: int = Field(4, ge=0, le=50, description="Examples shown before and after the CRF.")
    disagreement: int = Field(4, ge=0, le=50, description="Examples shown of photos on which the networks disagree.")
    scanned: int = Field(
        200, ge=1, description="Photos searched, evenly spread, for the CRF and disagreement examples."
    )
    image_px: int = Field(360, ge=64, le=2048, description="Longer side of the pictures in the report, in pixels.")
