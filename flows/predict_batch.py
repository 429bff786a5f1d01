"""The flow `predict-batch`: new photos of a folder or a bucket to masks, overlays and a JSON; run it on a schedule.

`shares.json` beside the results is both: what was found in each photo, and
which photos are done, by size and time of change (or ETag). It is written
last, after each chunk; so a killed run does the chunk it was at again, and no
other. The network runs in a process of its own, by `trashseg predict`.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.command_line import finish
from flows.locks import checkout_lock
from flows.outcomes import BAD_INPUT, NOTHING_NEW
from flows.photo_index import INDEX, PhotoIndex
from flows.places import Folder, Place, place
from flows.processes import run
from flows.slots import Slots, cores, visible_devices
from flows.stages import SHOWN_LINES, USER_ERROR
from trashseg import paths
from trashseg.config import load
from trashseg.errors import InputError, run_command
from trashseg.io import read_json
from trashseg.tracking.champion import model_folders
from trashseg.tracking.provenance import digest

WEIGHTS = "weights.safetensors"
CHUNK = 500
SHOWN = 100

Flip = Literal["none", "horizontal", "vertical", "both"]
Where = Annotated[str, Field(min_length=1, max_length=1000)]


class PredictFailed(RuntimeError):
    """`trashseg predict` failed for another reason than its input."""


def selected_models() -> list[Path]:
    """The model folders of the round this checkout's pipeline selected: every network, every fold."""
    round_id = str(read_json(paths.SELECT / "selected.json")["round"])
    values = load()
    return [paths.train(round_id, model, fold) for model in values["models"] for fold in values["folds"]]


def check_models(folders: Sequence[Path]) -> None:
    """Refuse a folder that holds no model."""
    for folder in folders:
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"{folder}: no {WEIGHTS}; expected a model folder of the pipeline")


def check_apart(source: Place, out: Place) -> None:
    """Results among the photos would be taken for photos by the next run."""
    if isinstance(source, Folder) and isinstance(out, Folder):
        inner, outer = out.root.resolve(), source.root.resolve()
        if inner == outer or outer in inner.parents:
            raise InputError(f"{out}: lies in {source}; expected results apart from the photos")
    elif f"{out}/".startswith(f"{source}".rstrip("/") + "/"):
        raise InputError(f"{out}: lies in {source}; expected results apart from the photos")


def predict(
    folder: Path, models: Sequence[Path], options: Sequence[str], index: PhotoIndex, log: Callable[[str], object]
) -> dict[str, dict[str, Any]]:
    """Run the networks over `folder`/photos into `folder`/found; gives file -> row of `shares.json`.

    A photo that cannot be read has no row. `InputError` where none can be, or a model cannot be used.
    """
    command = ["trashseg", "predict", str(folder / "photos"), *options, f"--out={folder / 'found'}"]
    command += [f"--model={model.absolute()}" for model in models]
    with Slots(1, visible_devices(), cores()).lease("gpu") as environment:
        ended = run(command, log, environment={**os.environ, **environment})
    shares = folder / "found" / INDEX
    if not shares.is_file():
        said = [line.removeprefix("error: ") for line in ended.tail if line.startswith("error: ")]
        if ended.code == USER_ERROR and said:
            raise InputError(said[-1])
        raise PredictFailed("\n".join(["trashseg predict failed; its last lines:", *ended.tail[-SHOWN_LINES:]]))
    content = read_json(shares)
    index.check_classes(content["classes"])
    return {Path(row["file"]).relative_to(folder / "photos").as_posix(): row for row in content["photos"]}


def do_chunk(
    stamps: Mapping[str, str],
    source: Place,
    index: PhotoIndex,
    models: Sequence[Path],
    options: Sequence[str],
    log: Callable[[str], object],
) -> None:
    """Predict some photos, put the results in the index's place, and their rows in the index last."""
    facts = {"model": digest([model / WEIGHTS for model in models])[:16]}
    with tempfile.TemporaryDirectory(prefix="predict-batch-") as temporary:
        folder = Path(temporary)
        for file in stamps:
            source.fetch(file, folder / "photos" / file)
        found = predict(folder, models, options, index, log)
        facts["at"] = datetime.now(UTC).isoformat(timespec="seconds")
        rows = []
        for file, stamp in stamps.items():
            row: dict[str, Any] = {"file": file, "stamp": stamp, **facts}
            if file in found:
                name = index.name(file)
                for kind, suffix in (("masks", "png"), ("overlays", "jpg")):
                    written = folder / "found" / kind / f"{found[file]['name']}.{suffix}"
                    index.out.put(f"{kind}/{name}.{suffix}", written.read_bytes())
                rows.append({"name": name, "shares": found[file]["shares"], **row})
            else:
                rows.append({"error": "cannot be read as a photo", **row})
        index.add(rows)


def publish(index: PhotoIndex, files: Sequence[str]) -> None:
    """Show this run's photos in Prefect's pages."""
    cells = []
    for file in files[:SHOWN]:
        row = index.rows[file]
        shares = ", ".join(f"{name} {share:.1%}" for name, share in row.get("shares", {}).items() if share >= 0.001)
        cells.append({"photo": file, "found": row.get("error") or shares})
    create_table_artifact(table=cells, key="photos", description=f"{len(files)} photos; here the first {len(cells)}")


def run_name() -> str:
    """`predict inbox`."""
    return f"predict {flow_run.parameters['source']}"


@flow(name="predict-batch", flow_run_name=run_name, validate_parameters=True)
def predict_batch(
    source: Where = "inbox",
    out: Where = "found",
    models: list[Where] | None = None,
    view: Literal["whole", "windows"] = "whole",
    flips: list[Flip] = ["none", "horizontal"],  # noqa: B006
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 4,
    again: bool = False,
) -> State[Any]:
    """Find litter in the photos of a folder or bucket that were not there, or were others, at the last run.

    Args:
        source: A folder, or a bucket such as s3://bucket/photos (credentials: the worker's environment).
        out: Where masks/, overlays/ and shares.json go: a folder or a bucket, not inside source.
        models: Model folders whose answers are averaged, or champion: those of the registry's champion as it is then;
            none: all networks and folds of the selected round.
        view: whole: each photo resized to the trained size; windows: its own pixels cut into tiles.
        flips: Mirror images to look at as well.
        batch_size: Tiles that go through the network together.
        again: Do photos again that are done, such as with a better model.

    Returns:
        Completed, or NothingNew where every photo is done; the message says how many there were.
    """
    logger = get_run_logger()
    options = [f"--view={view}", f"--batch-size={batch_size}", *(f"--flips={flip}" for flip in flips)]
    lock: AbstractContextManager[None] = nullcontext() if models else checkout_lock(logger.info)
    with lock:  # a pipeline run in this checkout may be replacing the models
        try:
            return _predict_new(place(source), place(out), models, options, again)
        except InputError as error:
            return Failed(name=BAD_INPUT, message=str(error))
        except PredictFailed as error:
            return Failed(message=str(error))


def _predict_new(
    source: Place, out: Place, models: Sequence[str] | None, options: Sequence[str], again: bool
) -> State[Any]:
    logger = get_run_logger()
    check_apart(source, out)
    index = PhotoIndex(out)
    stamps = index.new(source.files(), again)
    if not stamps:
        return Completed(name=NOTHING_NEW, message=f"{source}: no new photo")
    folders = model_folders(models) if models else selected_models()
    check_models(folders)
    files = list(stamps)
    for start in range(0, len(files), CHUNK):
        chunk = {file: stamps[file] for file in files[start : start + CHUNK]}
        do_chunk(chunk, source, index, folders, options, logger.info)
        logger.info("%d of %d photos done", min(start + CHUNK, len(files)), len(files))
    publish(index, files)
    unread = sum("error" in index.rows[file] for file in files)
    return Completed(message=f"{len(files)} photos, {unread} of them unreadable: {out}/{INDEX}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.predict_batch", description="Predict the new photos.")
    parser.add_argument("source", help="a folder, or a bucket such as s3://bucket/photos")
    parser.add_argument("out", help="where masks/, overlays/ and shares.json go")
    parser.add_argument("--models", nargs="+", metavar="FOLDER", help="or champion; default: the selected round's")
    parser.add_argument("--view", choices=["whole", "windows"], default="whole")
    parser.add_argument("--again", action="store_true", help="photos that are done, too")
    return parser.parse_args()


def main() -> None:
    """Run the flow in this process."""
    finish(predict_batch, **vars(_arguments()))


if __name__ == "__main__":
    run_command(main)
