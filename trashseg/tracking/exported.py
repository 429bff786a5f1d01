"""What `export` left, with the out-of-fold score of just these networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trashseg import paths
from trashseg.data.folds import read_folds
from trashseg.errors import InputError
from trashseg.io import read_json
from trashseg.tracking.common_photos import read_counts
from trashseg.tracking.evaluation import read_steps
from trashseg.tracking.provenance import digest
from trashseg.tracking.registry import NAME, Registration, register_champion, registered


@dataclass(frozen=True)
class Exported:
    """ONNX files with their trained (height, width), their score, and what it was measured on."""

    round_id: str
    step: str
    files: Mapping[Path, tuple[int, int]]
    classes: Sequence[str]
    score: float
    fold_digest: str


def scored_step(names: Sequence[str], folds: int) -> str:
    """The step whose score tells what files named `{model}_{fold}` are worth together.

    All folds of the files' networks: the ensemble's score, or the one
    network's. A single fold of one network: that network's folds, each of
    which scored the photos it had not seen.
    """
    members = {(name.rpartition("_")[0], int(name.rpartition("_")[2])) for name in names}
    models = sorted({model for model, _ in members})
    if len(models) == 1:
        return f"{models[0]} folds"
    if len(members) == len(models) * folds:
        return "ensemble"
    raise InputError(
        f"{paths.EXPORT}: {', '.join(sorted(names))} were never scored together; "
        "expected all folds (export.members: all) or one network"
    )


def read_exported() -> Exported:
    """Read artifacts/export and find its score; an `InputError` where the pipeline has not come that far."""
    parity = read_json(paths.EXPORT / "parity.json")
    round_id, facts = str(parity["round"]), parity["files"]
    files = {paths.EXPORT / name: (int(f["trained_size"][0]), int(f["trained_size"][1])) for name, f in facts.items()}
    folds_json = paths.FOLDS / "folds.json"
    step = scored_step([path.stem for path in files], read_folds(folds_json).k)
    if step == "ensemble":
        _alone(paths.ensemble(round_id) / "weights.json")
    steps = read_steps(paths.evaluate(round_id))
    if step not in steps:
        where = paths.evaluate(round_id) / "oof" / "metrics.json"
        raise InputError(f"{where}: no step {step!r}; expected the score of the exported networks")
    measured_on = digest([folds_json, paths.DATASET / "train_all.json"])
    classes = [str(name) for name in next(iter(facts.values()))["classes"]]
    return Exported(round_id, step, files, classes, steps[step]["oof_miou"], measured_on)


def _alone(path: Path) -> None:
    """The ensemble that was scored has no other members than its round's own networks."""
    others = [name for name in read_json(path)["weights"] if "/" in name] if path.is_file() else []
    if others:
        raise InputError(f"{path}: scored together with {others[0]}, which is not exported (ensemble.with_teacher)")


def trained_folder(round_id: str, path: Path) -> Path:
    """The model folder that `{model}_{fold}.onnx` was exported from."""
    model, _, fold = path.stem.rpartition("_")
    return paths.train(round_id, model, int(fold))


CONTENT = "content"
"""Tag of a version: a digest of its ONNX files."""


def register_exported(force: bool = False, name: str = NAME) -> Registration:
    """Register what `export` left in the working folder; `force` makes it the champion whatever the scores."""
    exported = read_exported()
    tags = {"round": exported.round_id, "step": exported.step, CONTENT: digest(list(exported.files))}
    return register_champion(
        exported.files,
        exported.classes,
        exported.score,
        exported.fold_digest,
        tags=tags,
        force=force,
        name=name,
        counts=read_counts(exported.round_id),
        folders={path.stem: trained_folder(exported.round_id, path) for path in exported.files},
    )


def registered_version(name: str = NAME) -> str | None:
    """The version that holds these very ONNX files, None where they are not registered yet."""
    found = registered(CONTENT, digest(list(read_exported().files)), name)
    return None if found is None else str(found.version)
