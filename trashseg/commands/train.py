"""`trashseg train`: one network on one's own COCO files."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def train(
    *,
    train_json: Path,
    val_json: Path,
    images: Path,
    out: Path = Path("model"),
    model: str | None = None,
    encoder: str | None = None,
    encoder_weights: str | None = None,
    loss: str | None = None,
    optimizer: str | None = None,
    schedule: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    image_size: int | None = None,
    learning_rate: float | None = None,
    workers: int | None = None,
    seed: int = 0,
    start_from: Path | None = None,
    params: Path | None = None,
    set_: Annotated[list[str], Parameter(name="--set", negative="")] = [],  # noqa: B006
    tensorboard: Path | None = None,
    figures: Path | None = None,
    mlflow: str | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Train a network on COCO files and write a model folder.

    Example: `trashseg train --model unetplusplus --encoder efficientnet-b5 --loss focal
    --train-json kfold_0_train.json --val-json kfold_0_val.json --images photos --epochs 200 --batch-size 5`

    A training that was killed goes on from its last epoch when the same command is given again. On several GPUs:
    `torchrun --nproc-per-node 4 -m trashseg.cli train ...`

    Parameters
    ----------
    train_json
        COCO file of the images to learn from.
    val_json
        COCO file of the images to validate on; the epoch with their best mIoU is kept.
    images
        Folder that the files' `file_name` are relative to.
    out
        The model folder: weights.safetensors (the best epoch's), last.safetensors, model.json, history.csv,
        metrics.json.
    model
        Decoder: unet, unetplusplus, manet, linknet, fpn, pspnet, pan, deeplabv3plus, upernet, segformer, dpt.
    encoder
        efficientnet-b5, resnet34, mit_b3, or any of timm's as tu-NAME.
    encoder_weights
        imagenet (downloaded), none, or a local .safetensors file.
    loss
        ce, soft_ce, focal, ohem, dice, jaccard, tversky, lovasz, or a sum such as 0.5*ce+dice.
    optimizer
        adam, adamw, radam, sgd, or any of timm's.
    schedule
        constant, poly, cosine, cosine_restarts, one_cycle.
    epochs
        Passes over the images.
    batch_size
        Images per step.
    image_size
        Side in pixels that images are trained at.
    learning_rate
        Base rate, of the decoder: 5e-4
    workers
        Processes that load images.
    seed
        Seed of everything random.
    start_from
        A model folder of the same network and classes, whose weights are trained on, or a file of weights in one:
        --start-from model/last.safetensors.
    params
        A params.yaml to start from, instead of the defaults.
    set_
        Any other key: --set augment.cut_mix=0.5 --set train.ema_decay=0.999
    tensorboard
        Folder for TensorBoard's curves and pictures.
    figures
        File that each epoch's figures are added to, a line of JSON each; --figures=- is stdout.
    mlflow
        MLflow store to log to: --mlflow sqlite:///mlflow.db or --mlflow http://127.0.0.1:5000. Settings, curves, IoU
        of each class, confusion matrix, photos with truth and answer; a training that goes on continues its run.
    dry_run
        Print the settings, the number of parameters and the memory needed, and stop.
    """
    import os

    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from trashseg.models.model_folder import folder_and_weights
    from trashseg.tracking.own_training import check_store, own_training_run
    from trashseg.training import curves
    from trashseg.training.journal import Listeners
    from trashseg.training.loaders import is_first_process
    from trashseg.training.overrides import resolve
    from trashseg.training.own_files import architecture, check_out, outline, paste_from_own, pretrained, read_own
    from trashseg.training.session import Start, train_model
    from trashseg.training.sets import ExampleSet

    flags = {
        "network.architecture": model,
        "network.encoder": encoder,
        "network.encoder_weights": encoder_weights,
        "train.loss": loss,
        "train.optimizer": optimizer,
        "train.schedule": schedule,
        "train.epochs": epochs,
        "train.batch_size": batch_size,
        "train.image_size": None if image_size is None else (image_size, image_size),
        "train.learning_rate": learning_rate,
        "train.workers": workers,
    }
    settings = resolve(params, flags, set_)
    check_out(out)
    if mlflow is not None:
        check_store(mlflow)
    training, validation, classes = read_own(train_json, val_json, images)
    if dry_run:
        print(outline(settings, classes, (len(training), len(validation))))
        return
    weights = None if start_from is None else folder_and_weights(start_from)[1]
    start = Start(architecture(settings), None if weights else pretrained(settings), classes, weights)
    facts = {"train_json": train_json.name, "val_json": val_json.name}
    listeners = curves.tensorboard(tensorboard, classes) if tensorboard and is_first_process() else Listeners()
    if figures is not None:
        listeners += Listeners((curves.json_lines(figures),))
    told = {**settings.as_dict(), "seed": seed, "start_from": start_from, "images": images, **facts}
    pasting = settings.augment.online_copy_paste > 0
    with own_training_run(mlflow, f"train {out.name}", (train_json, val_json), images, classes, told) as tracked:
        train_model(
            start,
            [ExampleSet(training, 1.0)],
            validation,
            settings.train,
            settings.augment,
            settings.train.epochs,
            seed,
            out,
            facts,
            listeners=listeners + Listeners((tracked.log_epoch,), (tracked.log_answers,), (tracked.begin,)),
            paste=paste_from_own(train_json, images, seed) if pasting else None,
        )
        if is_first_process():
            tracked.finish(out)
            print(curves.closing_words(out))
