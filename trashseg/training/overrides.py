"""Settings of a training from defaults, a params file and single keys (`train.loss=focal`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trashseg.config import load, parse
from trashseg.data.augment_config import AugmentConfig
from trashseg.errors import InputError, nearest
from trashseg.models.config import NetworkConfig
from trashseg.training.config import TrainConfig

SECTIONS = ("network", "train", "augment")


@dataclass(frozen=True)
class Settings:
    """The three sections that a training is told."""

    network: NetworkConfig
    train: TrainConfig
    augment: AugmentConfig

    def as_dict(self) -> dict[str, Any]:
        """All keys with their values, as params.yaml would hold them."""
        return {name: getattr(self, name).model_dump(mode="json") for name in SECTIONS}

    def as_yaml(self) -> str:
        """The same as text."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False)


def resolve(params: Path | None, flags: Mapping[str, Any], keys: Sequence[str]) -> Settings:
    """Defaults, then `params`, then `flags` (dotted key -> value, None for not given), then `keys` (`a.b=c`)."""
    values: dict[str, Any] = {name: {} for name in SECTIONS}
    if params is not None:
        found = load(params)
        values |= {name: dict(found.get(name) or {}) for name in ("train", "augment")}
        networks = found.get("networks") or {}
        first = (found.get("models") or [*networks, ""])[0]
        values["network"] = dict(networks.get(first) or {})
    for key, value in flags.items():
        if value is not None:
            put(values, key, value)
    for text in keys:
        key, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set {text!r}: expected KEY=VALUE, such as train.loss=focal")
        put(values, key.strip(), _plain(value, text))
    where = params or Path("--set")
    return Settings(
        parse(NetworkConfig, values["network"], "network", where),
        parse(TrainConfig, values["train"], "train", where),
        parse(AugmentConfig, values["augment"], "augment", where),
    )


def put(values: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key; sections in between are made."""
    *parents, last = key.split(".")
    if not parents or parents[0] not in SECTIONS:
        first = parents[0] if parents else last
        raise InputError(
            f"--set {key}: {first!r} is no section{nearest(first, SECTIONS)}; expected {', '.join(SECTIONS)}"
        )
    for parent in parents:
        inner = values.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {key}: {parent!r} holds {inner!r}, expected a section")
        values = inner
    values[last] = value


def _plain(text: str, whole: str) -> object:
    """A value as YAML reads it, and `3e-4` as a number."""
    try:
        return float(text) if "e" in text.lower() and text[:1].isdigit() else yaml.safe_load(text)
    except ValueError:
        return text
    except yaml.YAMLError:
        raise InputError(f"--set {whole!r}: the value is not YAML") from None
