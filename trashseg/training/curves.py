"""Listeners of a training outside of the pipeline: TensorBoard, and figures as lines of JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from trashseg.classes import Classes
from trashseg.io import read_json
from trashseg.training.journal import EpochListener, Listeners
from trashseg.training.module import Answer


def tensorboard(folder: Path, classes: Classes) -> Listeners:
    """Each epoch's figures as TensorBoard's scalars, classes by name, and the photos shown as images."""
    from torch.utils.tensorboard import SummaryWriter

    from trashseg.tracking.pictures import answer_sheet

    writer = SummaryWriter(str(folder))
    names = {f"iou/{index}": f"iou/{name}" for index, name in enumerate(classes.names)}

    def figures(epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(names.get(name, name), value, epoch)
        writer.flush()

    def answers(epoch: int, shown: Sequence[Answer]) -> None:
        writer.add_image("photo, truth, answer", answer_sheet(shown, classes.palette()), epoch, dataformats="HWC")
        writer.flush()

    return Listeners((figures,), (answers,))


def json_lines(path: Path) -> EpochListener:
    """Adds each epoch's figures to a file as a line of JSON, `{"epoch": 0, "val_miou": ...}`; `-` is stdout."""

    def listen(epoch: int, values: Mapping[str, float]) -> None:
        line = json.dumps({"epoch": epoch, **values})
        if str(path) == "-":
            print(line, flush=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(line + "\n")

    return listen


def closing_words(folder: Path) -> str:
    """What a finished training says: its best epoch and mIoU, the classes left out of it, and where the model is."""
    metrics = read_json(folder / "metrics.json")
    absent = metrics["absent_classes"]
    left_out = f"; left out, because no pixel is labelled or predicted so: {', '.join(absent)}" if absent else ""
    return (
        f"model folder {folder}: mIoU {metrics['miou']:.3f} (256 grid {metrics['miou_256']:.3f}) after epoch "
        f"{metrics['epoch'] + 1}{left_out}"
    )
