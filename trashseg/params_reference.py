"""docs/reference/params.md, written from the models themselves: every key, what it may be, its default, its meaning.

`python -m trashseg.params_reference` writes it; a test compares.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trashseg.config import Section
from trashseg.io import write_text
from trashseg.models.config import NetworkConfig
from trashseg.params import MODELS, Round

PAGE = Path("docs/reference/params.md")

HEAD = """# params.yaml, key by key

Written by `python -m trashseg.params_reference` from the models that check the file; do not edit.
A key that is left out takes its default. An unknown key is an error that names the nearest known one.

`seed` is a whole number; `folds` is `[0, 1, ...]`, one number for each fold; `models` are names under `networks`.
"""

LIMITS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
COUNTS = {"minItems": "at least {} entries", "minLength": "not empty"}


def described_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON schema as words: `integer ≥ 1`, `one of soft, vote`, `list of number`, `null`."""
    if "$ref" in schema:
        return described_type(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in schema:
        return " or ".join(described_type(part, definitions) for part in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return _described_list(schema, definitions)
    words = {"object": "mapping", "string": "text"}.get(kind, kind)
    limits = [text.format(schema[key]) for key, text in LIMITS.items() if key in schema]
    return f"{words} {', '.join(limits)}".strip()


def _described_list(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return "[" + ", ".join(described_type(part, definitions) for part in schema["prefixItems"]) + "]"
    counts = [text.format(schema[key]) for key, text in COUNTS.items() if key in schema]
    text = f"list of {described_type(schema.get('items', {}), definitions)}"
    return ", ".join([text, *counts])


def rows(schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, ...]]:
    """(key, type, default, meaning) of every field; nested sections follow with dotted keys."""
    for name, field in schema.get("properties", {}).items():
        nested = field.get("$ref") or next((p["$ref"] for p in field.get("allOf", []) if "$ref" in p), None)
        inner = definitions[nested.rsplit("/", 1)[-1]] if nested else {}
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else ""
        if inner.get("properties"):
            yield f"{prefix}{name}", "mapping", "", field.get("description") or inner.get("description", "")
            yield from rows(inner, definitions, f"{prefix}{name}.")
        else:
            required = "" if "default" in field or name not in schema.get("required", []) else "required"
            shown = f"`{default}`" if default else required
            yield f"{prefix}{name}", described_type(field, definitions), shown, field.get("description", "")


def table(model: type[Section]) -> str:
    """One section as a Markdown table."""
    schema = model.model_json_schema()
    lines = ["| key | may be | default | meaning |", "|---|---|---|---|"]
    for key, kind, default, meaning in rows(schema, schema.get("$defs", {})):
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in (f"`{key}`", kind, default, meaning))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page() -> str:
    """The whole reference as Markdown."""
    sections: dict[str, type[Section]] = {"rounds (a list)": Round, "networks.NAME": NetworkConfig, **MODELS}
    parts = [f"## {name}\n\n{table(model)}\n" for name, model in sections.items()]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    write_text(PAGE, page())
