"""The flow's parameters, typed, with the choices this checkout has: Prefect refuses a bad run when it is created."""

import re
from typing import Annotated, Any

from pydantic import Field

from flows.deployment_steps import OWN_CHECKOUT
from flows.graph import stage_kinds
from trashseg.config import SECTIONS
from trashseg.presets import names

PRESETS = names(OWN_CHECKOUT / "presets")
KINDS = stage_kinds(OWN_CHECKOUT / "dvc.yaml")

Preset = Annotated[str, Field(json_schema_extra={"enum": [*PRESETS]})]
"""A file of presets/, without its .yaml."""

StageName = Annotated[str, Field(pattern=rf"^({'|'.join(map(re.escape, KINDS))})(@[A-Za-z0-9_-]+)?$")]
"""A stage of dvc.yaml (`train`), or one item of its matrix (`train@r0-unet-0`)."""

Key = Annotated[str, Field(pattern=rf"^({'|'.join(SECTIONS)})(\.[A-Za-z0-9_ ]+)*$")]
"""A dotted key of params.yaml: `refine.iterations`."""

Overrides = Annotated[dict[Key, Any], Field(json_schema_extra={"additionalProperties": False})]

Device = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
"""A CUDA device as `CUDA_VISIBLE_DEVICES` names it: an index, a UUID."""

Rounds = Annotated[int, Field(ge=1, le=9)]
Trainings = Annotated[int, Field(ge=0, le=256)]


def chain_of_rounds(count: int) -> list[dict[str, str]]:
    """`rounds` of params.yaml: r0 without a teacher, each later one taught by the one before."""
    return [{"id": f"r{i}", "teacher": f"r{i - 1}" if i else "none"} for i in range(count)]


def all_overrides(overrides: dict[str, Any] | None, rounds: int | None) -> dict[str, Any]:
    """The overrides with the short form `rounds` spelt out."""
    return {**({"rounds": chain_of_rounds(rounds)} if rounds else {}), **(overrides or {})}


def parse_setting(text: str) -> tuple[str, Any]:
    """`refine.iterations=[5, 10]` of a command line as key and YAML value."""
    import yaml

    from trashseg.errors import InputError

    key, found, value = text.partition("=")
    if not found or not re.match(rf"^({'|'.join(SECTIONS)})(\.|$)", key):
        raise InputError(
            f"--set {text!r}: expected KEY=VALUE with a key of params.yaml, such as refine.iterations=[10]"
        )
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--set {text!r}: the value is not YAML") from None
