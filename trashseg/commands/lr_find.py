"""`trashseg lr-find`: the learning rate at which a network learns fastest."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def lr_find(
    *,
    train_json: Path,
    images: Path,
    out: Path = Path("lr-find"),
    model: str | None = None,
    encoder: str | None = None,
    encoder_weights: str | None = None,
    loss: str | None = None,
    optimizer: str | None = None,
    batch_size: int | None = None,
    image_size: int | None = None,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    seed: int = 0,
    params: Path | None = None,
    set_: Annotated[list[str], Parameter(name="--set", negative="")] = [],  # noqa: B006
) -> None:
    """Find a learning rate: train a moment with a rate that rises until the loss runs away.

    Example: `trashseg lr-find --train-json kfold_0_train.json --images photos --encoder efficientnet-b5`

    Prints the rate at which the loss falls fastest, for --learning-rate of `trashseg train` or train.learning_rate
    of params.yaml, and writes OUT/lr_find.csv and OUT/lr_find.png.

    Parameters
    ----------
    train_json
        COCO file of the images to learn from.
    images
        Folder that the file's `file_name` are relative to.
    out
        Folder for the figures and their curve.
    model
        Decoder, as for `trashseg train`.
    encoder
        Encoder, as for `trashseg train`.
    encoder_weights
        imagenet (downloaded), none, or a local .safetensors file.
    loss
        Loss, as for `trashseg train`.
    optimizer
        adam, adamw, radam, sgd, or any of timm's.
    batch_size
        Images per step.
    image_size
        Side in pixels that images are trained at.
    lowest
        Rate of the first step: 1e-6
    highest
        Rate of the last step, where the loss has not run away before.
    steps
        Steps of the test.
    seed
        Seed of everything random.
    params
        A params.yaml to start from, instead of the defaults.
    set_
        Any other key, as for `trashseg train`.
    """
    from trashseg.training.loaders import prepare
    from trashseg.training.lr_range import range_test, rates, suggestion, write_trials
    from trashseg.training.overrides import resolve
    from trashseg.training.own_files import architecture, paint_examples, pretrained
    from trashseg.training.session import Start, build_checked
    from trashseg.training.sets import ExampleSet

    flags = {
        "network.architecture": model,
        "network.encoder": encoder,
        "network.encoder_weights": encoder_weights,
        "train.loss": loss,
        "train.optimizer": optimizer,
        "train.batch_size": batch_size,
        "train.image_size": None if image_size is None else (image_size, image_size),
    }
    settings = resolve(params, flags, set_)
    tried = rates(lowest, highest, steps)
    examples, classes = paint_examples(train_json, images)
    start = Start(architecture(settings), pretrained(settings), classes)
    network = build_checked(start, settings.train, seed)
    material = prepare([ExampleSet(examples, 1.0)], [], len(classes), settings.train)
    trials = range_test(network, material, settings.train, settings.augment, seed, tried)
    suggested = suggestion(trials)
    write_trials(out, trials, suggested)
    last = trials[-1]
    print(f"the loss falls fastest at a learning rate of {suggested:.2g}")
    print(f"{len(trials)} steps up to {last.rate:.2g}, smoothed loss {last.smoothed:.3g} there: {out / 'lr_find.png'}")
