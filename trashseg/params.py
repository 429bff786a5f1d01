"""The whole of params.yaml, checked before anything runs: every section, and what sections say about each other.

Stages read only their own section; this joins them, so that a typo in the
last stage's section is found before the first stage has run an hour.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from trashseg.config import PARAMS, Section, load, parse, sentence
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.config import DataConfig, MasksConfig, SampleConfig
from trashseg.data.synthesis_config import CopyPasteConfig, OversampleConfig, SplitConfig
from trashseg.errors import InputError, nearest
from trashseg.evaluation.config import EvaluateConfig, SelectConfig, SubmissionConfig
from trashseg.inference.config import EnsembleConfig, ExportConfig, PredictConfig, PseudoLabelConfig
from trashseg.inference.crf_config import RefineConfig
from trashseg.models.config import NetworkConfig
from trashseg.report.config import ReportConfig
from trashseg.training.config import TrainConfig

MODELS: Mapping[str, type[Section]] = {
    "data": DataConfig,
    "sample": SampleConfig,
    "masks": MasksConfig,
    "split": SplitConfig,
    "oversample": OversampleConfig,
    "copy_paste": CopyPasteConfig,
    "augment": AugmentConfig,
    "train": TrainConfig,
    "predict": PredictConfig,
    "ensemble": EnsembleConfig,
    "refine": RefineConfig,
    "pseudo_label": PseudoLabelConfig,
    "evaluate": EvaluateConfig,
    "select": SelectConfig,
    "submission": SubmissionConfig,
    "report": ReportConfig,
    "export": ExportConfig,
}
"""The model of each section that is a mapping; it lives beside the code it configures."""

NAME = re.compile(r"[A-Za-z0-9_]+")
"""Rounds and models become folder names, stage names and command arguments: letters, digits and _ alone."""

NOBODY = "none"


class Round(Section):
    """One entry of `rounds`."""

    id: str = Field(description="name of the round, such as r0")
    teacher: str = Field(description="the earlier round that makes its pseudo labels; none: labelled images alone")


class Axes(Section):
    """The plain values at the top of params.yaml: the axes stages are repeated over."""

    seed: int = Field(ge=0, lt=2**31, description="seed of everything random")
    folds: tuple[int, ...] = Field(min_length=2, description="fold numbers, 0 to k-1")
    models: tuple[str, ...] = Field(min_length=1, description="which of `networks` are trained")
    rounds: tuple[Round, ...] = Field(min_length=1, description="rounds of pseudo labelling, the first without")


def check(path: Path = PARAMS) -> Axes:
    """Check the whole file; the first finding is an `InputError` that names the key."""
    values = load(path)
    axes = _axes(values, path)
    for section, model in MODELS.items():
        if section not in values:  # DVC tracks each by name
            raise InputError(f"{path}: key {section!r} is missing; '{section}: {{}}' takes its defaults")
        parse(model, values[section] or {}, section, path)
    networks = _networks(values.get("networks"), path)
    _check_axes(axes, networks, path)
    _check_root(values, path)
    return axes


def _axes(values: Mapping[str, Any], path: Path) -> Axes:
    picked = {name: values[name] for name in Axes.model_fields if name in values}
    try:
        return TypeAdapter(Axes).validate_python(picked)
    except ValidationError as error:
        text = sentence(error, "", Axes).replace("'.", "'", 1)
        raise InputError(f"{path}: {text}") from None


def _networks(values: Any, path: Path) -> dict[str, Any]:
    if not isinstance(values, dict) or not values:
        raise InputError(f"{path}: key 'networks': expected a network by name, such as 'unet:', found {values!r}")
    for name, network in values.items():
        parse(NetworkConfig, network or {}, f"networks.{name}", path)
    return values


def _check_axes(axes: Axes, networks: Iterable[str], path: Path) -> None:
    if axes.folds != tuple(range(len(axes.folds))):
        expected = list(range(len(axes.folds)))
        raise InputError(f"{path}: key 'folds': expected {expected}, found {list(axes.folds)}")
    _check_names("models", axes.models, path)
    for name in axes.models:
        if name not in networks:
            raise InputError(f"{path}: key 'models': no network {name!r} in 'networks'{nearest(name, networks)}")
    ids = [entry.id for entry in axes.rounds]
    _check_names("rounds", ids, path)
    for position, entry in enumerate(axes.rounds):
        known = ids[:position] if position else [NOBODY]
        if entry.teacher not in known and entry.teacher != NOBODY:
            raise InputError(
                f"{path}: key 'rounds': round {entry.id!r} has teacher {entry.teacher!r}, "
                f"expected {NOBODY!r} or an earlier round"
            )


def _check_names(key: str, names: Iterable[str], path: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if not NAME.fullmatch(name) or name == NOBODY:
            raise InputError(f"{path}: key {key!r}: expected a name of letters, digits and _, found {name!r}")
        if name in seen:
            raise InputError(f"{path}: key {key!r}: {name!r} is named twice")
        seen.add(name)


def _check_root(values: Mapping[str, Any], path: Path) -> None:
    root = (values.get("data") or {}).get("root")
    if root is not None and not Path(root).exists():
        raise InputError(f"{path}: key 'data.root': no file or folder {str(root)!r}")
