"""Settings of a training (`train` in params.yaml); those of the augmentation lie in `data/augment_config.py`."""

from typing import Literal

from pydantic import Field

from trashseg.config import Section
from trashseg.data.augment_config import AugmentConfig as AugmentConfig


class MixConfig(Section):
    """How often an image of each set is drawn, against a labelled image of the same classes; 0 leaves the set out."""

    labelled: float = Field(1.0, ge=0, description="labelled photos of the fold")
    oversample: float = Field(0.5, ge=0, description="images with an oversampled rare object")
    copy_paste: float = Field(0.5, ge=0, description="images with pasted objects")
    pseudo_label: float = Field(1.0, ge=0, description="pseudo-labelled test images, times their manifest's weight")


class TrainConfig(Section):
    """One training: sizes, loss, optimiser, schedule, sampling and the switches of its speed."""

    image_size: tuple[int, int] = Field((512, 512), description="height and width that images are trained at")
    epochs: int = Field(60, ge=1, description="passes; an epoch draws images_per_epoch images")
    images_per_epoch: int | None = Field(None, ge=1, description="null: as many as there are in all sets")
    batch_size: int = Field(8, ge=1, description="images per step and process")
    accumulate: int = Field(1, ge=1, description="steps whose gradients make one update")
    mix: MixConfig = Field(default_factory=MixConfig, description="weights of the sets of images")
    balance_power: float = Field(0.5, ge=0, le=1, description="images of rare classes more often; 0: all alike")
    loss: str = Field("ce+dice", description="ce, soft_ce, focal, ohem, dice, jaccard, tversky, lovasz, or a sum")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the term ce")
    class_weight_power: float = Field(0.25, ge=0, le=1, description="losses weigh classes by share^-power; 0: alike")
    optimizer: str = Field("adamw", description="adam, adamw, radam, sgd, or any of timm's")
    learning_rate: float = Field(5e-4, gt=0, description="base rate, of the decoder")
    weight_decay: float = Field(1e-2, ge=0, description="of weights, not of biases and normalisation")
    encoder_factor: float = Field(0.5, gt=0, description="the encoder's learning rate, as a factor of the base rate")
    layer_decay: float = Field(1.0, gt=0, le=1, description="each encoder block's rate against the next deeper one's")
    schedule: str = Field("cosine", description="constant, poly, cosine, cosine_restarts or one_cycle")
    warmup_epochs: float = Field(1.0, ge=0, description="epochs in which the rate rises linearly")
    clip_norm: float = Field(1.0, ge=0, description="largest norm of the gradient; 0: no limit")
    ema_decay: float = Field(0.0, ge=0, lt=1, description="of the moving average of weights; 0: none")
    soup: int = Field(0, ge=0, description="average of the best so many epochs, where it scores better; 0: none")
    start_from_teacher: bool = Field(True, description="later rounds start from their teacher's weights")
    student_epochs: int | None = Field(None, ge=1, description="epochs of later rounds; null: as many as the first")
    real_epochs: int = Field(
        0, ge=0, description="the last epochs of a later round see no pseudo labels; 0: joint to the end"
    )
    keep_last: bool = Field(
        True, description="the model folder also holds the last epoch's weights, as large as the best one's"
    )
    validate_every: int = Field(1, ge=1, description="epochs between validations")
    patience: int = Field(0, ge=0, description="validations without a better mIoU before stopping; 0: never stop")
    overlay_every: int = Field(10, ge=0, description="epochs between pictures of photo, truth, answer; 0: none")
    precision: Literal["auto", "32", "bf16", "16"] = Field("auto", description="auto: bf16 on a GPU, 32 on the CPU")
    channels_last: bool = Field(True, description="memory format of images and weights")
    compile: bool = Field(False, description="torch.compile the network")
    fused: bool = Field(True, description="the optimiser's single-kernel step, where it has one")
    workers: int | None = Field(None, ge=0, description="loading processes; null: half the cores on a GPU, else none")
    threads: int = Field(0, ge=0, description="torch's threads on the CPU; 0: its own choice")
    cache_gb: float = Field(4.0, ge=0, description="memory for decoded images, over all loading processes")
