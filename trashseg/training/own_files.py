"""A training on one's own COCO files, outside of the pipeline."""

import hashlib
from pathlib import Path

from trashseg.classes import Classes
from trashseg.data.coco import Coco
from trashseg.data.dataset import Example
from trashseg.data.instance_bank import InstanceBank, PasteObjects
from trashseg.data.mask_files import mask_names, write_masks
from trashseg.data.own_labels import IGNORED, read_own_labels
from trashseg.errors import InputError
from trashseg.models.model_folder import DESCRIPTION
from trashseg.models.networks import Architecture
from trashseg.training.memory import BYTES_PER_PARAMETER, saved_bytes
from trashseg.training.overrides import Settings
from trashseg.training.session import Start, build_checked

MASKS = Path(".trashseg/own-masks")


def paint_examples(path: Path, images: Path, ignore: tuple[str, ...] = IGNORED) -> tuple[list[Example], Classes]:
    """The images of a COCO file with their masks, painted largest first under `.trashseg/own-masks`."""
    labels = read_own_labels(path, ignore)
    coco, classes = labels.coco, labels.classes
    if not coco.images:
        raise InputError(f"{path}: no image found, expected at least one")
    folder = MASKS / hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    names = mask_names(coco, path, "id")
    kept, ignored = Coco(coco.images, labels.kept, []), Coco(coco.images, labels.ignored, [])
    write_masks(kept, ignored, names, folder, classes, False, "paint", 0)
    examples = []
    for row in coco.images:
        image = images / row["file_name"]
        if not image.is_file():
            raise InputError(f"{path}: image {row['id']} is {image}, which does not exist; check --images")
        examples.append(Example(row["id"], image, folder / f"{row['id']}.png"))
    return examples, classes


def read_own(train_json: Path, val_json: Path, images: Path) -> tuple[list[Example], list[Example], Classes]:
    """Examples to learn from and to validate on; both files must list the same categories and no image twice."""
    training, classes = paint_examples(train_json, images)
    validation, held_out_classes = paint_examples(val_json, images)
    if classes.names != held_out_classes.names:
        raise InputError(
            f"{val_json}: categories {held_out_classes.names} found, expected {classes.names} as {train_json}"
        )
    shared = {example.image for example in training} & {example.image for example in validation}
    if shared:
        raise InputError(f"{val_json}: image {min(shared)} is in {train_json} too; its score would be no test")
    return training, validation, classes


def paste_from_own(train_json: Path, images: Path, seed: int) -> PasteObjects:
    """Online copy-paste of the objects of the images to learn from, as the pipeline does it for a fold."""
    return PasteObjects(InstanceBank.build(read_own_labels(train_json).scenes(images), seed=seed))


def outline(settings: Settings, classes: Classes, images: tuple[int, int]) -> str:
    """What would be trained: settings, parameters, and the memory of weights, gradients and activations."""
    train = settings.train
    network = build_checked(Start(architecture(settings), None, classes), train, 0)
    parameters = sum(p.numel() for p in network.parameters())
    fixed = parameters * (BYTES_PER_PARAMETER + 4 * (train.ema_decay > 0))
    kept = saved_bytes(network, train.image_size, train.batch_size)
    single, mixed = (fixed + kept) / 2**30, (fixed + kept / 2) / 2**30
    return (
        f"{settings.as_yaml()}"
        f"images: {images[0]} to learn from, {images[1]} to validate on, {len(classes)} classes\n"
        f"parameters: {parameters:,}\n"
        f"memory estimate: {single:.2f} GiB in float32, of it {kept / 2**30:.2f} activations of batches of "
        f"{train.batch_size}; about {mixed:.2f} GiB in bf16 or 16\n"
    )


def architecture(settings: Settings) -> Architecture:
    """The network that settings name."""
    network = settings.network
    return Architecture(network.architecture, network.encoder, network.options)


def pretrained(settings: Settings) -> str | None:
    """The pretrained weights that settings name; `none` on a command line means none."""
    weights = settings.network.encoder_weights
    return None if weights in (None, "none") else weights


def check_out(folder: Path) -> None:
    """Refuse to replace a folder that is no model folder: it may be anything."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file()):
        raise InputError(f"--out {folder}: it is there and is no model folder; name a new one")
