"""The champion's model folders, for predicting by torch: on a GPU, with mirror images, in windows.

What a version serves are ONNX files. Beside them lie the model folders they
were exported from; they are fetched once per version and kept in the working
folder, under the id of the run that made them: another store's version 3 is
another folder.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from trashseg.errors import InputError
from trashseg.tracking.registry import CHAMPION, FOLDERS, NAME
from trashseg.tracking.store import TrackingOff, connect, tracking_uri

KEPT = Path(".trashseg") / "registry"


def model_folders(names: Sequence[str | Path], name: str = NAME) -> list[Path]:
    """Model folders as a user names them; `champion` is the registry's, unless there is a folder of that name."""
    found: list[Path] = []
    for each in map(Path, names):
        found += champion_folders(name) if each == Path(CHAMPION) and not each.exists() else [each]
    return found


def champion_folders(name: str = NAME) -> list[Path]:
    """The model folders of the champion of registered model `name`; an `InputError` where there are none."""
    from mlflow.exceptions import MlflowException

    where = f"model {name!r} in MLflow at {tracking_uri()}"
    try:
        client, _ = connect()
        version = client.get_model_version_by_alias(name, CHAMPION)
        run_id, place = str(version.tags.get("logged_in", "")).partition(":")[::2]
        kept = KEPT / f"{name}-{version.version}-{run_id}"
        if not kept.is_dir():
            KEPT.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=KEPT) as temporary:
                fetched = client.download_artifacts(run_id, f"{place}/{FOLDERS}", temporary)
                _keep(Path(fetched), kept)
    except TrackingOff:
        raise InputError(f"{where}: tracking is off (TRASHSEG_TRACKING), so there is no {CHAMPION}") from None
    except (MlflowException, OSError) as error:
        lacks = f"no model folders of a {CHAMPION}: {_first_line(error)}"
        raise InputError(f"{where}: {lacks}; expected what `trashseg register` puts there") from None
    return sorted(folder for folder in kept.iterdir() if folder.is_dir())


def _keep(fetched: Path, kept: Path) -> None:
    """Rename; another process that was quicker has put the very same there."""
    try:
        fetched.rename(kept)
    except OSError:
        if not kept.is_dir():
            raise


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
