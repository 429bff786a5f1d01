"""The code a stage depends on: its task's import closure, and the keys of params.yaml that code reads.

`make deps` writes both into dvc.yaml, and a test compares. A stage is rebuilt
when code it imports changes, and by no other code. Imports are read from the
source (those inside functions too), so the answer needs no torch.
"""

import ast
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

GRAPH = Path("dvc.yaml")
OURS = ("trashseg", "tasks", "flows")

WATCHES_ONLY = "trashseg.tracking"
"""No artefact depends on it, so no stage does (see its docstring)."""

NEVER_WHOLE = Path("trashseg/data/sample")
"""The sample's `data.root`: naming the folder a second time is an error to DVC, naming its files is not."""

READERS = ("read_section", "read_value")


def module_file(module: str) -> Path | None:
    """The file of one of our modules or packages; None for a name that is no module."""
    path = Path(module.replace(".", "/"))
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def imported_modules(file: Path) -> set[str]:
    """Our modules that a file imports anywhere in it, and the packages they lie in."""
    found: set[str] = set()
    for node in ast.walk(_tree(file)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in OURS:
                found.update(_with_parents(name))
    return {name for name in found if module_file(name)}


def closure(module: str) -> set[Path]:
    """Every file of ours that importing a module may run, itself included, relative to the checkout."""
    files: set[Path] = set()
    waiting = _with_parents(module)
    while waiting:
        name = waiting.pop()
        file = module_file(name)
        if file is None or file in files or name.startswith(WATCHES_ONLY):
            continue
        files.add(file)
        waiting.extend(imported_modules(file))
    return files


def keys_read(files: Iterable[Path]) -> set[str]:
    """The top-level keys of params.yaml that files read by a literal name, also `f"networks.{model}"`."""
    keys = set()
    for file in files:
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS and node.args:
                name = node.args[0]
                if isinstance(name, ast.JoinedStr):
                    name = name.values[0]
                if isinstance(name, ast.Constant):
                    keys.add(str(name.value).split(".")[0])
    return keys


def _data_files(folder: Path) -> set[Path]:
    """What a package holds beside its modules, such as templates."""
    return {
        file
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and "__pycache__" not in file.parts
    }


def code_files(module: str) -> set[Path]:
    """The import closure and the data files of the packages whose own modules import them all."""
    files = closure(module)
    for init in [file for file in files if file.name == "__init__.py"]:
        folder = init.parent
        inner = set(folder.glob("*.py"))
        if inner <= files and folder not in (Path("trashseg"), Path("tasks")):
            files |= {
                file
                for file in _data_files(folder)
                if not (file.parent / "__init__.py").is_file() or file.parent == folder
            }
    return files


def cover(files: set[Path]) -> list[str]:
    """The same files as few paths: a folder instead of its files where it holds nothing else."""
    kept: set[Path] = set()
    remaining = set(files)
    folders = sorted(
        {file.parent for file in files if (file.parent / "__init__.py").is_file()}, key=lambda f: len(f.parts)
    )
    for folder in folders:
        everything = set(folder.rglob("*.py")) | _data_files(folder)
        if (
            folder != NEVER_WHOLE
            and everything <= files
            and len(everything) > 1
            and not any(parent in kept for parent in folder.parents)
        ):
            kept.add(folder)
            remaining -= everything
    return [path.as_posix() for path in sorted(kept | remaining)]


def is_code(dep: str) -> bool:
    """Whether a dep of dvc.yaml is code of ours rather than an artefact or data."""
    return dep.startswith(tuple(f"{package}/" for package in OURS))


def wanted_deps(stage: str, deps: Sequence[str]) -> list[str]:
    """A stage's deps as they must be: its artefacts and data as they are, then its code."""
    return [*(dep for dep in deps if not is_code(dep)), *cover(code_files(f"tasks.{stage}"))]


def wanted_params(stage: str, params: Sequence[Any]) -> list[Any]:
    """A stage's params as they must be: keys in the order given, missing ones behind, narrower ones (`a.b`) kept."""
    read = keys_read(closure(f"tasks.{stage}"))
    kept = [param for param in params if str(param).split(".")[0] in read]
    present = {str(param).split(".")[0] for param in kept}
    return [*kept, *sorted(read - present)]


def main() -> None:
    """Rewrite the deps and params of every stage in dvc.yaml; all else stays as it is written."""
    from io import StringIO

    from ruamel.yaml import YAML

    from trashseg.io import write_text

    yaml = YAML()
    yaml.width = 120
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    graph = yaml.load(GRAPH.read_text())
    for name, stage in graph["stages"].items():
        if module_file(f"tasks.{name}") is None:
            continue
        if (deps := wanted_deps(name, stage["deps"])) != list(stage["deps"]):
            stage["deps"] = deps
        if (params := wanted_params(name, stage.get("params", []))) != list(stage.get("params", [])):
            stage["params"] = params
    text = StringIO()
    yaml.dump(graph, text)
    write_text(GRAPH, text.getvalue())


if __name__ == "__main__":
    main()
