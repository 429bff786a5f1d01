"""The README's tree, a line per file, from each module's first docstring line: `python docs/tree.py` rewrites it."""

import ast
import subprocess
from pathlib import Path

START, END = "<!-- tree: python docs/tree.py -->\n```\n", "```\n<!-- end of tree -->"

TOP = {
    "dvc.yaml": "the graph: what each stage reads and writes",
    "params.yaml": "its numbers",
    "presets/": "whole alternatives to params.yaml",
    "prefect.yaml": "deployments",
    "Makefile": "the verbs above",
    "pyproject.toml": "dependencies and why, the linters' rules, the walls between the folders",
    "requirements.lock": "exact versions of everything",
    "docker/": "images, and a compose file of the servers and a worker",
    "docs/": "how-to, explanation, reference, decisions, the log of experiments",
    "benchmarks/": "each figure of speed as a command",
    "tests/": "mirrors the code",
}


def summary(module: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(module.read_text())) or "").split("\n")[0].rstrip(".")


def rows(folder: Path, modules: set[Path], indent: str = "") -> list[tuple[str, str]]:
    """A folder's line and those of all below it: modules first, then folders."""
    lines = [(f"{indent}{folder.name}/", summary(folder / "__init__.py"))]
    inner = f"{indent}  "
    for module in sorted(m for m in modules if m.parent == folder and m.name != "__init__.py"):
        lines.append((inner + module.name, summary(module)))
    for package in sorted(m.parent for m in modules if m.name == "__init__.py" and m.parent.parent == folder):
        lines += rows(package, modules, inner)
    return lines


def tree(root: Path) -> str:
    """The whole tree, names in one column and what they are in the next."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    modules = {root / name for name in listed if (root / name).is_file()}
    lines = list(TOP.items())
    for name in ("flows", "tasks", "trashseg"):
        lines += rows(root / name, modules)
    width = max(len(name) for name, _ in lines) + 2
    return "".join(f"{name.ljust(width)}{what}".rstrip() + "\n" for name, what in lines)


def with_tree(readme: str, root: Path) -> str:
    """The README with its tree as the checkout is now."""
    before, rest = readme.split(START)
    return before + START + tree(root) + END + rest.split(END)[1]


if __name__ == "__main__":
    here = Path(__file__).parents[1]
    (here / "README.md").write_text(with_tree((here / "README.md").read_text(), here))
