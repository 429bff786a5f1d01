"""The techniques of the pipeline, each as the values of params.yaml that switch it off.

A technique is in use where switching it off changes a resolved section; what
a preset does not use is not measured. Nothing here changes which photos are
labelled, how labels are painted or how photos are dealt to folds: every
variant is scored on the same photos under the same labels.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trashseg.errors import InputError, nearest
from trashseg.params import MODELS

Values = Mapping[str, Any]

GEOMETRY = ("horizontal_flip", "vertical_flip", "rotate90", "geometry", "perspective", "elastic")
LOOK = ("grid_dropout", "light", "to_gray", "blur")

TECHNIQUES: Mapping[str, Callable[[Values], dict[str, Any]]] = {
    "oversampling": lambda _: {"oversample.count": 0},
    "copy-paste": lambda _: {"copy_paste.count": 0, "copy_paste.quotas": {}},
    "online-copy-paste": lambda _: {"augment.online_copy_paste": 0.0},
    "batch-mixing": lambda _: {"augment.cut_mix": 0.0, "augment.class_mix": 0.0},
    "geometric-augmentation": lambda _: {f"augment.{key}": 0.0 for key in GEOMETRY},
    "look-augmentation": lambda _: {f"augment.{key}": 0.0 for key in LOOK},
    "rare-images-more-often": lambda _: {"train.balance_power": 0.0},
    "class-weights": lambda _: {"train.class_weight_power": 0.0},
    "summed-loss": lambda values: {"train.loss": _resolved(values)["train"]["loss"].split("+")[0]},
    "weight-averaging": lambda _: {"train.ema_decay": 0.0},
    "second-network": lambda values: {"models": list(values["models"])[:1]},
    "test-time-augmentation": lambda _: {"predict.flips": ["none"], "predict.scales": [1.0]},
    "fitted-weights": lambda _: {"ensemble.weights": "equal"},
    "pseudo-labels": lambda values: {"rounds": list(values["rounds"])[:1]},
    "crf": lambda _: {"refine.gaussian_compat": [0.0], "refine.bilateral_compat": [0.0], "refine.iterations": [1]},
}
"""Name -> what switches it off, given the values of params.yaml."""


def _resolved(values: Values) -> dict[str, Any]:
    """All values with the defaults of what is not written."""
    sections = {name: model.model_validate(values.get(name) or {}).model_dump() for name, model in MODELS.items()}
    return {**values, **sections}


def _with(values: Values, overrides: Values) -> dict[str, Any]:
    changed: dict[str, Any] = {name: dict(v) if isinstance(v, Mapping) else v for name, v in values.items()}
    for key, value in overrides.items():
        section, _, name = key.partition(".")
        if name:
            changed[section] = {**(changed.get(section) or {}), name: value}
        else:
            changed[section] = value
    return changed


def variants(values: Values, names: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Technique -> the overrides that switch it off, of those in use; of `names` alone where there are any.

    `values` are those of a checked params.yaml. A name that is unknown or not in use is an `InputError`.
    """
    base = _resolved(values)
    used = {}
    for name, off in TECHNIQUES.items():
        overrides = off(values)
        if _resolved(_with(values, overrides)) != base:
            used[name] = overrides
    wanted = list(names) or list(used)
    for name in wanted:
        if name not in TECHNIQUES:
            raise InputError(f"no technique {name!r}{nearest(name, TECHNIQUES)}; have {', '.join(TECHNIQUES)}")
        if name not in used:
            raise InputError(f"params.yaml: technique {name!r} is not in use; these are: {', '.join(used) or 'none'}")
    return {name: used[name] for name in used if name in wanted}
