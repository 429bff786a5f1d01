"""Whole alternatives to params.yaml: `presets/NAME.yaml`, single values over it, and going there and back.

A preset takes the place of params.yaml, because params.yaml is what DVC,
every stage and every reader look at. What stood there before is kept, and
comes back with the next run that names no preset: nobody's edits are lost and
`git status` is as it was. See docs/decisions/presets.md.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trashseg.config import PARAMS
from trashseg.errors import InputError, nearest
from trashseg.io import atomic, read_json, write_bytes, write_json
from trashseg.params import check

PRESETS = Path("presets")
KEPT = Path(".trashseg") / "params.before-preset.yaml"
RECORD = Path(".trashseg") / "preset.json"


def names(folder: Path = PRESETS) -> list[str]:
    """The presets there are."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _present() -> bytes:
    return PARAMS.read_bytes() if PARAMS.is_file() else b""


def _is_as_switched() -> bool:
    """Whether params.yaml still is what the last switch put there."""
    return RECORD.is_file() and read_json(RECORD).get("sha256") == _digest(_present())


def _content(name: str | None, overrides: Mapping[str, Any]) -> bytes:
    """The bytes of a preset (or of params.yaml) with single values replaced, comments kept."""
    if name is not None and name not in names():
        raise InputError(f"{PRESETS / name}.yaml: no such preset{nearest(name, names())}; have {', '.join(names())}")
    source = PRESETS / f"{name}.yaml" if name else PARAMS
    text = source.read_text()
    if not overrides:
        return text.encode()
    values = yaml.safe_load(text)
    for key, value in overrides.items():
        *parents, last = key.split(".")
        section = values
        for parent in parents:
            section = section.setdefault(parent, {}) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise InputError(f"{source}: override {key!r}: {'.'.join(parents)!r} holds no keys")
        section[last] = value
    return (f"# {source.name} with {', '.join(overrides)} set\n" + yaml.safe_dump(values, sort_keys=False)).encode()


def put(name: str | None, overrides: Mapping[str, Any]) -> str:
    """Put a preset, or params.yaml with `overrides` (dotted key -> value), in params.yaml's place.

    What was there is kept for `back`. Gives a sentence that says what stands
    there now. The new content is checked whole before anything is touched.
    """
    new = _content(name, overrides)
    with atomic(Path(".trashseg") / "params.yaml") as candidate:
        candidate.write_bytes(new)
        _check_as_params(candidate)
    label = (f"preset {name}" if name else "as it was") + (f" with {', '.join(overrides)} set" if overrides else "")
    if new == _present():
        return f"params.yaml: {label}"
    if not _is_as_switched():
        write_bytes(KEPT, _present())
    write_json(RECORD, {"name": label, "sha256": _digest(new)})
    write_bytes(PARAMS, new)
    return f"params.yaml: {label} (the next run without a preset brings back what was there)"


def _check_as_params(candidate: Path) -> None:
    try:
        check(candidate)
    except InputError as error:
        raise InputError(re.sub(rf"^{re.escape(str(candidate))}", str(PARAMS), str(error))) from None


def back() -> str:
    """Undo `put`, unless params.yaml was edited since: then the edit stays. Gives a sentence that says which."""
    if not RECORD.is_file():
        return "params.yaml: as it is"
    name = read_json(RECORD)["name"]
    if _is_as_switched() and KEPT.is_file():
        write_bytes(PARAMS, KEPT.read_bytes())
        said = f"params.yaml: back from {name} to what was there before"
    else:
        said = f"params.yaml: edited since {name} was put there, so it stays"
    RECORD.unlink()
    return said


def switch(name: str | None, overrides: Mapping[str, Any] | None = None) -> str:
    """Make params.yaml what a run asks for: a preset, single values over it, or what the user has there."""
    if name is None:
        said = back()
        return put(None, overrides) if overrides else said
    return put(name, overrides or {})
