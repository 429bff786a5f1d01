"""The run of a training on one's own COCO files: what the pipeline's trainings log, under a store that a flag names.

It stands alone, below no pipeline run. As there, a store that is away costs a
warning and never a training; all it missed is sent when the training ends. An
address that is none is refused before anything is trained.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trashseg.classes import Classes
from trashseg.errors import InputError
from trashseg.tracking.live import Dataset, Subject, TrainingRun
from trashseg.tracking.pipeline import KIND
from trashseg.tracking.provenance import git_revision, tracked_hash
from trashseg.tracking.store import store_at
from trashseg.tracking.values import set_tags

if TYPE_CHECKING:
    from mlflow.tracking.client import MlflowClient

STORES = r"sqlite:///.|(postgresql|mysql|mssql)(\+\w+)?://.|https?://.|databricks"


def check_store(uri: str) -> None:
    """Refuse what can be no address of a store that keeps runs."""
    if not re.match(STORES, uri):
        raise InputError(
            f"--mlflow {uri!r}: this is no store of MLflow; expected one such as sqlite:///mlflow.db or "
            "http://127.0.0.1:5000"
        )


@contextmanager
def own_training_run(
    uri: str | None,
    name: str,
    files: Sequence[Path],
    images: Path,
    classes: Classes,
    params: Mapping[str, Any],
) -> Iterator[TrainingRun]:
    """The run of a training that is about to start or to resume, in the store at `uri`; None: nothing is tracked.

    `files` are the COCO files, whose digest is the dataset's; `params` (nested)
    is everything the training was told. Nothing is tracked before the run's
    `begin` was told the training's checkpoint folder.
    """
    if uri is None:
        yield TrainingRun()
        return

    def create(client: "MlflowClient", experiment: str) -> str:
        revision = git_revision()
        tags = {
            KIND: "training",
            "mlflow.source.git.commit": (revision or "").rstrip("+") or None,
            "git.revision": revision,
            "dvc.dataset": tracked_hash(files[0]),
            "dvc.images": tracked_hash(images),
        }
        run_id = str(client.create_run(experiment, run_name=name).info.run_id)
        set_tags(client, run_id, tags)
        return run_id

    dataset = Dataset(files[0].name, files, images.as_posix())
    with store_at(uri), TrainingRun(Subject(name, create, params, dataset, classes)) as run:
        yield run
