"""params.yaml: typed sections, frozen, and unknown keys are errors that name the nearest known one.

A stage reads only the sections it names (`read_section`), and those are its
`params` in dvc.yaml. Each section's model lives beside the code it configures
(`trashseg/data/config.py` and so on), so that a stage depends on no other
stage's settings; `trashseg/params.py` joins them all for whole-file checks.
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from trashseg.errors import InputError, nearest

S = TypeVar("S", bound=BaseModel)
V = TypeVar("V")

PARAMS = Path("params.yaml")

SECTIONS = (
    "seed",
    "data",
    "sample",
    "masks",
    "folds",
    "split",
    "oversample",
    "copy_paste",
    "augment",
    "networks",
    "models",
    "rounds",
    "train",
    "predict",
    "ensemble",
    "refine",
    "pseudo_label",
    "evaluate",
    "select",
    "submission",
    "report",
    "export",
)


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load(path: Path = PARAMS) -> dict[str, Any]:
    """All of params.yaml as plain values; top-level keys are checked."""
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run from the folder that holds params.yaml") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected YAML, found {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected sections such as 'data:', found {type(values).__name__}")
    for key in values:
        if key not in SECTIONS:
            raise InputError(f"{path}: unknown key {key!r}{nearest(str(key), SECTIONS)}")
    return values


def sentence(error: ValidationError, where: str, model: type[BaseModel] | None = None) -> str:
    """The first finding of a pydantic error as one sentence that names the key."""
    first = error.errors()[0]
    key = ".".join([where, *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        known = model.model_fields if model is not None else ()
        return f"unknown key {key!r}{nearest(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r}: {first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r}"


def parse(model: type[S], values: object, where: str, path: Path = PARAMS) -> S:
    """`values` as a section of type `model`; `where` is its dotted key in `path`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{path}: {sentence(error, where, model)}") from None


def read_section(name: str, model: type[S], path: Path = PARAMS) -> S:
    """One section of params.yaml; `name` may be dotted (`networks.unet`). A missing section means its defaults."""
    values: Any = load(path)
    for part in name.split("."):
        values = values.get(part, {}) if isinstance(values, dict) else {}
    return parse(model, {} if values is None else values, name, path)


def read_value(name: str, kind: type[V], path: Path = PARAMS) -> V:
    """One top-level plain value (`seed`), or an `InputError` where it is missing or of another type."""
    values = load(path)
    if name not in values:
        raise InputError(f"{path}: key {name!r} is missing")
    value = values[name]
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
        raise InputError(f"{path}: key {name!r}: expected {kind.__name__}, found {value!r}")
    return value
