"""DVC's graph as the flow sees it: stages in order, what each is, and why it may have to run.

Beside `dvc_server` the one module that imports dvc. All else knows stages by their DVC
address (`train@r0-unet-2`).
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trashseg.errors import InputError, nearest

NEVER_RUN = "it has not run here yet"


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml, a matrix item counted as a stage of its own.

    `upstream` are the addresses it waits for; `code` the deps that no stage
    writes (modules, the data it is made from), relative to the folder of
    dvc.yaml. `pool`, `retries` and `timeout_hours` come from `meta:`.
    """

    name: str
    upstream: tuple[str, ...]
    outs: tuple[str, ...]
    code: tuple[str, ...]
    pool: str = "cpu"
    retries: int = 0
    timeout_hours: float = 24.0

    @property
    def kind(self) -> str:
        """The stage without its matrix item: `train`."""
        return self.name.partition("@")[0]

    @property
    def tags(self) -> list[str]:
        """The stage and each part of its matrix item: `[train, r0, unet, 2]`."""
        kind, _, item = self.name.partition("@")
        return [kind, *item.split("-")] if item else [kind]


@dataclass(frozen=True)
class Plan:
    """All stages, upstream first, and per stage that may not be up to date the reasons, as sentences."""

    stages: tuple[Stage, ...]
    reasons: Mapping[str, tuple[str, ...]]


@contextmanager
def _repository(folder: Path) -> Iterator[Any]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(folder), _wait_for_lock=True) as repo:
            yield repo
    except DvcException as error:
        detail = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
        raise InputError(f"{folder / 'dvc.yaml'}: {' '.join(detail.split())}") from None


def _stage(stage: Any, upstream: Sequence[str], root: str) -> Stage:
    written_by_stages = {out.fs_path for out in stage.repo.index.outs}
    parents = tuple(path + os.sep for path in written_by_stages)
    code = []
    for dep in stage.deps:
        path = getattr(dep, "fs_path", None)
        if dep.protocol != "local" or type(dep).__name__ == "ParamsDependency" or path is None:
            continue
        is_artefact = path in written_by_stages or path.startswith(parents)
        holds_artefacts = any(parent.startswith(path + os.sep) for parent in parents)
        if not is_artefact and not holds_artefacts:
            code.append(os.path.relpath(path, root))
    meta = stage.meta or {}
    return Stage(
        name=stage.addressing,
        upstream=tuple(upstream),
        outs=tuple(os.path.relpath(out.fs_path, root) for out in stage.outs),
        code=tuple(code),
        pool=str(meta.get("pool", Stage.pool)),
        retries=int(meta.get("retries", Stage.retries)),
        timeout_hours=float(meta.get("timeout_hours", Stage.timeout_hours)),
    )


def read_plan(folder: Path = Path()) -> Plan:
    """The graph of the repository at `folder` and the state of each stage, asked of DVC once."""
    import networkx
    from dvc.repo.status import _joint_status

    with _repository(folder) as repo:
        graph = repo.index.graph
        order = list(
            reversed(list(networkx.lexicographical_topological_sort(graph, key=lambda stage: stage.addressing)))
        )
        stages = [
            _stage(stage, sorted(up.addressing for up in graph.successors(stage)), repo.root_dir) for stage in order
        ]
        with repo.lock:  # what repo.status() does, without loading the graph a second time
            status: Mapping[str, list[Any]] = _joint_status([(stage, None) for stage in order])
        never_run = {stage.addressing for stage in order if not any(out.hash_info for out in stage.outs)}
    reasons = {name: (NEVER_RUN,) if name in never_run else tuple(_sentences(found)) for name, found in status.items()}
    return Plan(tuple(stages), reasons)


def _sentences(found: Sequence[Any]) -> Iterator[str]:
    """DVC's status of a stage, `[{"changed deps": {path: state}}, "changed command"]`, in words."""
    for entry in found:
        if isinstance(entry, str):
            yield "its command changed" if entry == "changed command" else entry
            continue
        for what, changes in entry.items():
            for path, state in changes.items():
                if isinstance(state, Mapping):
                    yield from (f"{key} in {path} is {how}" for key, how in state.items())
                elif what == "changed outs":
                    yield f"its output {path} is {state}"
                else:
                    yield f"{path} is {state}"


def stage_kinds(path: Path = Path("dvc.yaml")) -> tuple[str, ...]:
    """The stages as dvc.yaml writes them, matrices not unrolled; needs no dvc."""
    return tuple(yaml.safe_load(path.read_text())["stages"])


def _named(stages: Sequence[Stage], names: Sequence[str]) -> set[str]:
    known = {stage.name for stage in stages} | {stage.kind for stage in stages}
    for name in names:
        if name not in known:
            raise InputError(f"dvc.yaml: no stage {name!r}{nearest(name, known)}")
    return {stage.name for stage in stages if stage.name in names or stage.kind in names}


def selection(stages: Sequence[Stage], until: Sequence[str], since: Sequence[str] = ()) -> tuple[Stage, ...]:
    """The stages up to those named in `until` and from those named in `since` on; no name means no limit.

    Names are stages (`refine`) or items of their matrices (`train@r0-unet-0`).
    What lies before `since` is taken as it is.
    """
    chosen = {stage.name for stage in stages}
    if until:
        needed = _named(stages, until)
        for stage in reversed(stages):
            if stage.name in needed:
                needed.update(stage.upstream)
        chosen &= needed
    if since:
        following = _named(stages, since)
        for stage in stages:
            if following.intersection(stage.upstream):
                following.add(stage.name)
        chosen &= following
    return tuple(stage for stage in stages if stage.name in chosen)


def default_remote(folder: Path = Path()) -> str | None:
    """The DVC remote that artefacts are pushed to, None where none is set."""
    with _repository(folder) as repo:
        name: str | None = repo.config["core"].get("remote")
    return name


def fingerprint(stage: Stage, folder: Path = Path()) -> dict[str, str]:
    """A digest per file a stage's code deps hold, to tell whether they were edited while it ran."""
    digests = {}
    for dep in stage.code:
        path = folder / dep
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                digests[str(file.relative_to(folder))] = hashlib.md5(file.read_bytes()).hexdigest()
    return digests


def forget(name: str, folder: Path = Path()) -> None:
    """Drop what DVC recorded of a stage just run: its dvc.lock entry and that run's entry in the run cache."""
    from dvc.stage.cache import _can_hash, _get_cache_hash, _get_stage_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    with _repository(folder) as repo, repo.lock:
        stage = next(iter(repo.stage.collect(name)))
        if _can_hash(stage):
            key, value = _get_stage_hash(stage), _get_cache_hash(to_single_stage_lockfile(stage))
            entry = Path(repo.stage_cache._get_cache_path(key, value))
            entry.unlink(missing_ok=True)
            if entry.parent.is_dir() and not any(entry.parent.iterdir()):
                entry.parent.rmdir()  # DVC trips over an empty one
        stage.dvcfile._lockfile.remove_stage(stage)
