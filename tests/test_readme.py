"""The README speaks of what is there: every file in its tree, every verb, every link."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from trashseg.cli import VERBS


@pytest.fixture(scope="module")
def tree(repository: Path) -> ModuleType:
    """docs/tree.py, which is no package's module."""
    spec = importlib.util.spec_from_file_location("tree", repository / "docs" / "tree.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


def test_the_tree_is_current(readme: str, tree: ModuleType, repository: Path) -> None:
    assert tree.with_tree(readme, repository) == readme, "run `python docs/tree.py`"


def test_every_verb_of_the_command_is_named(readme: str) -> None:
    assert [verb for verb in VERBS if f"`trashseg {verb}`" not in readme] == []


def test_every_verb_of_make_is_named(readme: str, repository: Path) -> None:
    verbs = re.findall(r"^([a-z-]+):.*##", (repository / "Makefile").read_text(), re.MULTILINE)
    assert [verb for verb in verbs if f"`make {verb}`" not in readme] == []


def test_every_link_leads_somewhere(repository: Path) -> None:
    pages = [repository / "README.md", *sorted((repository / "docs").rglob("*.md"))]
    lost = [
        f"{page.relative_to(repository)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert lost == []


def test_every_module_says_what_it_is(tree: ModuleType, repository: Path) -> None:
    silent = [line for line in tree.tree(repository).splitlines() if len(line.split()) < 2]
    assert silent == []
