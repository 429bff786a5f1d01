"""A training on one's own COCO files, outside of the pipeline."""

import hashlib
from pathlib import Path

import torch

from trashseg.classes import Classes
from trashseg.data.coco import Coco
from trashseg.data.dataset import Example
from trashseg.data.instance_bank import InstanceBank, PasteObjects
from trashseg.data.mask_files import mask_names, write_masks
from trashseg.data.own_labels import IGNORED, read_own_labels
from trashseg.errors import InputError
from trashseg.models.networks import Architecture
from trashseg.training.journal import EpochListener
from trashseg.training.overrides import Settings
from trashseg.training.session import Start, build_seeded

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
    network = build_seeded(Start(_architecture(settings), None, classes), 0)
    parameters = sum(p.numel() for p in network.parameters())
    train = settings.train
    activations = activation_bytes(network, train.image_size) * train.batch_size
    fixed = 4 * parameters * 4  # weights, gradients and two moments, float32
    return (
        f"{settings.as_yaml()}"
        f"images: {images[0]} to learn from, {images[1]} to validate on, {len(classes)} classes\n"
        f"parameters: {parameters:,}\n"
        f"memory estimate: {(fixed + activations) / 2**30:.2f} GiB in float32 "
        f"({activations / 2**30:.2f} of it activations for batches of {train.batch_size})\n"
    )


def _architecture(settings: Settings) -> Architecture:
    network = settings.network
    return Architecture(network.architecture, network.encoder, network.options)


@torch.no_grad()
def activation_bytes(network: torch.nn.Module, size: tuple[int, int]) -> int:
    """Bytes of all modules' outputs for one image, float32: about what the backward pass keeps."""
    total = 0

    def add(module: object, inputs: object, output: object) -> None:  # noqa: ARG001 (the shape of a hook)
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += output.numel() * 4

    hooks = [m.register_forward_hook(add) for m in network.modules() if not list(m.children())]
    network.eval()(torch.zeros(1, 3, *size, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    return total


def tensorboard_listener(folder: Path) -> EpochListener:
    """Writes each epoch's figures as TensorBoard scalars."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def listen(epoch: int, figures: object) -> None:
        assert isinstance(figures, dict)
        for name, value in figures.items():
            writer.add_scalar(name, value, epoch)
        writer.flush()

    return listen
