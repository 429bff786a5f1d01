"""What a sweep tries: keys of params.yaml, each with choices or a range."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from trashseg.errors import InputError

if TYPE_CHECKING:
    from optuna.trial import Trial

SECTIONS = ("train", "augment", "network")

Key = Annotated[str, Field(pattern=rf"^({'|'.join(SECTIONS)})\.[a-z_0-9.]+$")]
"""A dotted key that a training is told: of `train`, `augment`, or the network (`network.encoder`)."""


class Range(BaseModel):
    """Numbers from `low` to `high`; whole ones where both are whole; `log` spreads them by their logarithm."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _rising(self) -> "Range":
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"range {self.low} to {self.high}: expected rising numbers, above 0 for log")
        return self


Choices = Annotated[list[Any], Field(min_length=1)]

Space = Annotated[dict[Key, Range | Choices], Field(min_length=1)]

DEFAULT: Mapping[str, Range | list[Any]] = {
    "train.learning_rate": Range(low=3e-4, high=1e-2, log=True),
    "train.loss": ["ce", "ce+dice", "ce+lovasz", "focal+dice"],
    "train.balance_power": [0.0, 0.5],
}


def suggest(trial: "Trial", space: Mapping[str, Range | list[Any]]) -> dict[str, Any]:
    """A value for every key, as the study's sampler sees fit."""
    values: dict[str, Any] = {}
    for key, what in space.items():
        if not isinstance(what, Range):
            place = trial.suggest_categorical(key, list(range(len(what))))  # by place: choices may be lists
            values[key] = what[place]
        elif isinstance(what.low, int) and isinstance(what.high, int):
            values[key] = trial.suggest_int(key, what.low, what.high, log=what.log)
        else:
            values[key] = trial.suggest_float(key, what.low, what.high, log=what.log)
    return values


def parse(text: str) -> tuple[str, Range | list[Any]]:
    """`train.learning_rate=1e-4..1e-2:log` or `train.loss=ce,ce+dice` of a command line."""
    key, sign, what = text.partition("=")
    if not sign or not re.match(rf"^({'|'.join(SECTIONS)})\.[a-z_0-9.]+$", key):
        raise InputError(f"--vary {text!r}: expected KEY=LOW..HIGH or KEY=A,B with a key of {', '.join(SECTIONS)}")
    bounds = re.fullmatch(r"([^,]+)\.\.([^,]+?)(:log)?", what)
    if bounds is None:
        return key, [plain(each) for each in what.split(",")]
    try:
        low, high = number(bounds[1]), number(bounds[2])
        return key, Range(low=low, high=high, log=bool(bounds[3]))
    except ValueError as error:
        raise InputError(f"--vary {text!r}: expected two rising numbers as LOW..HIGH: {_first(error)}") from None


def _first(error: ValueError) -> str:
    return str(error).splitlines()[-2].strip() if len(str(error).splitlines()) > 2 else str(error)


def number(text: str) -> int | float:
    """A whole number, or else a fraction; `ValueError` for neither."""
    return int(text) if re.fullmatch(r"[+-]?\d+", text.strip()) else float(text)


def plain(text: str) -> Any:
    """One choice as YAML reads it, and `1e-3` as a number."""
    try:
        return number(text)
    except ValueError:
        return yaml.safe_load(text)


def setting(key: str, value: Any) -> str:
    """`train.loss=ce` as `--set` takes it."""
    return f"{key}={yaml.safe_dump(value, default_flow_style=True, width=10**6).splitlines()[0]}"
