"""What dvc.yaml promises of each stage, compared with what its code does; the walls; the presets."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.imports import closure, keys_read, wanted_deps
from trashseg.config import SECTIONS
from trashseg.params import MODELS, Axes, check

REPOSITORY = Path(__file__).parents[1]
GRAPH = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]


@pytest.fixture(autouse=True)
def in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """dvc.yaml's paths are relative to the checkout."""
    monkeypatch.chdir(REPOSITORY)


def test_every_stage_has_its_task_and_every_task_its_stage() -> None:
    tasks = {path.stem for path in (REPOSITORY / "tasks").glob("*.py")} - {"__init__"}
    assert set(GRAPH) == tasks


@pytest.mark.parametrize("stage", GRAPH)
def test_the_command_is_the_task(stage: str) -> None:
    assert GRAPH[stage]["cmd"].startswith(f"python -m tasks.{stage}")


@pytest.mark.parametrize("stage", GRAPH)
def test_deps_are_the_import_closure(stage: str) -> None:
    deps = GRAPH[stage]["deps"]
    assert set(deps) == set(wanted_deps(stage, deps)), "`make deps` writes what is imported into dvc.yaml"


@pytest.mark.parametrize("stage", GRAPH)
def test_params_are_the_sections_read(stage: str) -> None:
    declared = {str(param).split(".")[0] for param in GRAPH[stage].get("params", [])}
    assert declared == keys_read(closure(f"tasks.{stage}")), "`make deps` writes what is read into dvc.yaml"


@pytest.mark.parametrize("stage", GRAPH)
def test_only_evaluate_reads_the_test_labels(stage: str) -> None:
    assert ("artifacts/test_labels.json" in GRAPH[stage]["deps"]) is (stage == "evaluate")


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("trashseg", {"prefect", "dvc", "flows", "tasks"}),
        ("tasks", {"prefect", "dvc", "flows", "mlflow", "tasks"}),
    ],
)
def test_walls(folder: str, forbidden: set[str]) -> None:
    for file in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                assert name.split(".")[0] not in forbidden, f"{file.relative_to(REPOSITORY)} imports {name}"


def test_dvc_is_imported_in_two_modules_of_the_flows() -> None:
    importing = {
        file.name
        for file in (REPOSITORY / "flows").glob("*.py")
        if re.search(r"^\s*(from|import) dvc\b", file.read_text(), re.M)
    }
    assert importing == {"graph.py", "dvc_server.py"}


@pytest.mark.parametrize("stage", ["dataset", "masks", "folds", "select", "submission"])
def test_light_tasks_do_not_import_torch(stage: str) -> None:
    command = f"import sys, tasks.{stage}; print([m for m in ('torch', 'pandas', 'mlflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_section_has_a_model() -> None:
    assert set(SECTIONS) == set(MODELS) | set(Axes.model_fields) | {"networks"}


def test_params_are_the_sample_preset() -> None:
    assert (REPOSITORY / "params.yaml").read_bytes() == (REPOSITORY / "presets" / "sample.yaml").read_bytes()


@pytest.mark.parametrize("preset", sorted((REPOSITORY / "presets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_is_valid(preset: Path) -> None:
    root = Path(yaml.safe_load(preset.read_text())["data"]["root"])
    if not root.exists():
        pytest.skip(f"{os.fspath(root)} is absent")
    check(preset)
