"""The registry: exported networks as a model version, `champion` only where it beats the present one.

Two scores compare directly when they were measured on the same photos in the
same folds, so each version carries a digest of them. After new photos came in
they are compared photo by photo (see `common_photos.py`).
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trashseg.errors import InputError
from trashseg.io import write_json
from trashseg.tracking.common_photos import FILE, PhotoCounts, on_common_photos
from trashseg.tracking.pipeline import parent_run
from trashseg.tracking.store import TrackingOff, connect

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking.client import MlflowClient

NAME = "trashseg"
CHAMPION = "champion"
SERVED = Path(__file__).with_name("served.py")
FOLDERS = "networks"
"""Where a version keeps the model folders of its ONNX files."""
INFERENCE = ("weights.safetensors", "model.json")
REQUIREMENTS = ("mlflow>=3.17,<3.18", "onnxruntime>=1.22,<2", "opencv-python-headless>=4.11", "numpy>=2.1,<3")


@dataclass(frozen=True)
class Registration:
    """A new model version, whether it is now the champion, and why."""

    version: str
    champion: bool
    reason: str


def verdict(score: float, fold_digest: str, present: Mapping[str, str] | None) -> tuple[bool, str]:
    """Whether a model replaces the champion whose version tags are `present` (None: there is none)."""
    if present is None:
        return True, "there was no champion"
    if present.get("fold_digest") != fold_digest:
        return False, "the champion was scored on other folds: scores do not compare"
    best = float(present.get("oof_miou", "nan"))
    if score > best:
        return True, f"mIoU {score:.4f} out of fold beats the champion's {best:.4f}"
    return False, f"mIoU {score:.4f} out of fold does not beat the champion's {best:.4f}"


def _champion(client: "MlflowClient", name: str) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException:  # no such model, or no such alias yet
        return None


def save_served(folder: Path, files: Mapping[Path, tuple[int, int]], classes: Sequence[str]) -> None:
    """Write an MLflow model that answers with the mean of ONNX files; `files` gives each its (height, width)."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    with tempfile.TemporaryDirectory() as temporary:
        facts = Path(temporary) / "facts.json"
        members = {path.stem: list(size) for path, size in files.items()}
        write_json(facts, {"classes": list(classes), "members": members})
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(SERVED),
            artifacts={"facts": str(facts), **{path.stem: str(path) for path in files}},
            signature=ModelSignature(inputs=Schema([ColSpec("string", "image")])),
            pip_requirements=list(REQUIREMENTS),
        )


def put_folders(folders: Mapping[str, Path], into: Path) -> None:
    """Copy what inference needs of each model folder to `into`/networks/NAME; one that is not there is left out."""
    for name, folder in folders.items():
        if all((folder / file).is_file() for file in INFERENCE):
            (into / FOLDERS / name).mkdir(parents=True)
            for file in INFERENCE:
                shutil.copyfile(folder / file, into / FOLDERS / name / file)


def register_champion(
    files: Mapping[Path, tuple[int, int]],
    classes: Sequence[str],
    score: float,
    fold_digest: str,
    *,
    tags: Mapping[str, object] = {},
    force: bool = False,
    name: str = NAME,
    counts: PhotoCounts | None = None,
    folders: Mapping[str, Path] = {},
) -> Registration:
    """Register ONNX files as a new version of model `name`; alias `champion` moves to it if it is better.

    `files` maps each ONNX file to the (height, width) it was trained at;
    `score` is their mIoU out of fold, `fold_digest` names photos and folds it
    was measured on. `counts` are those of its photos: they decide where the
    champion was scored on other folds. `folders` are the model folders that
    the files were exported from, by name. `force` moves the alias whatever the
    scores. Unlike logging this raises: someone asked for it and must know.
    """
    if not files:
        raise InputError("no ONNX file to register; run the export stage first")
    try:
        client, experiment = connect()
    except TrackingOff:
        raise InputError("tracking is off (TRASHSEG_TRACKING): there is no registry to register in") from None
    run_id = parent_run(client, experiment)
    version = _new_version(client, run_id, files, classes, name, counts, folders)
    described: dict[str, Any] = {"oof_miou": score, "fold_digest": fold_digest, **tags}
    for key, value in described.items():
        client.set_model_version_tag(name, version, key, str(value))
    present = _champion(client, name)
    champion, reason = verdict(score, fold_digest, None if present is None else present.tags)
    if present is not None and present.tags.get("fold_digest") != fold_digest and counts is not None:
        earlier = _counts(client, present)
        champion, reason = on_common_photos(earlier, counts) if earlier is not None else (champion, reason)
    if force and not champion:
        champion, reason = True, f"forced, though {reason}"
    if champion:
        client.set_registered_model_alias(name, CHAMPION, version)
    return Registration(version, champion, reason)


def _counts(client: "MlflowClient", version: "ModelVersion") -> PhotoCounts | None:
    """What a version brought along of its photos, None where it brought nothing."""
    from mlflow.exceptions import MlflowException

    run_id, place = str(version.tags.get("logged_in", "")).partition(":")[::2]
    with tempfile.TemporaryDirectory() as temporary:
        try:
            return PhotoCounts.load(Path(client.download_artifacts(run_id, f"{place}/{FILE}", temporary)))
        except (MlflowException, OSError, KeyError, ValueError):
            return None


def registered(tag: str, value: str, name: str = NAME) -> "ModelVersion | None":
    """The newest version whose tag has this value, None where there is none."""
    client, _ = connect()
    versions = client.search_model_versions(f"name = {name!r}")
    return next((version for version in versions if version.tags.get(tag) == value), None)


def _new_version(
    client: "MlflowClient",
    run_id: str,
    files: Mapping[Path, tuple[int, int]],
    classes: Sequence[str],
    name: str,
    counts: PhotoCounts | None,
    folders: Mapping[str, Path],
) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Litter segmentation: a photo in, a mask out.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    place = f"models/{len(client.search_model_versions(f'name = {name!r}')) + 1}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        save_served(folder, files, classes)
        if counts is not None:
            counts.save(folder / FILE)
        put_folders(folders, folder)
        client.log_artifacts(run_id, str(folder), place)
    uri = client.get_run(run_id).info.artifact_uri
    version = client.create_model_version(name, f"{uri}/{place}", run_id, tags={"logged_in": f"{run_id}:{place}"})
    return str(version.version)
