"""The written reference of params.yaml."""

from pathlib import Path

import pytest
from pydantic import Field

from trashseg.config import Section
from trashseg.params_reference import PAGE, page, table


class Inner(Section):
    """What lies inside."""

    share: float = Field(0.5, gt=0, le=1, description="a share")


class Outer(Section):
    """An example."""

    name: str = Field(description="who")
    sizes: list[int] = Field([1, 2], min_length=1, description="a | b")
    inner: Inner = Field(default_factory=Inner, description="more")
    limit: int | None = Field(None, ge=1, description="null: no limit")


def test_table_has_types_limits_defaults_and_nested_keys() -> None:
    assert table(Outer).splitlines()[2:] == [
        "| `name` | text | required | who |",
        "| `sizes` | list of integer, at least 1 entries | `[1, 2]` | a \\| b |",
        "| `inner` | mapping |  | more |",
        "| `inner.share` | number > 0, ≤ 1 | `0.5` | a share |",
        "| `limit` | integer ≥ 1 or null | `null` | null: no limit |",
    ]


def test_page_is_current(repository: Path) -> None:
    if (repository / PAGE).read_text() != page():
        pytest.fail(f"{PAGE} is not current: run python -m trashseg.params_reference")
