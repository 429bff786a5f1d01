"""What goes wrong around a training: one sentence, and the last good checkpoint whole."""

import errno
import os
import resource
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from tests.training.test_loop import SMALL, train
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Example
from trashseg.errors import InputError
from trashseg.models.networks import SegmentationNetwork, build_network
from trashseg.training.config import TrainConfig
from trashseg.training.failures import told
from trashseg.training.journal import LAST, Listeners
from trashseg.training.loop import Outcome, fit
from trashseg.training.sets import ExampleSet


def small_network() -> SegmentationNetwork:
    """The same small network each time."""
    torch.manual_seed(0)
    return build_network(SMALL, 11)


def listened(
    examples: list[Example],
    folder: Path,
    listener: object,
    network: SegmentationNetwork | None = None,
    **changes: object,
) -> Outcome:
    """A training of three epochs with a listener that makes trouble."""
    settings = {"image_size": (32, 32), "batch_size": 4, "threads": 1, "epochs": 3, **changes}
    config = TrainConfig.model_validate(settings)
    sets = [ExampleSet(examples[:8], 1.0)]
    listeners = Listeners((listener,))  # type: ignore[arg-type]
    return fit(network or small_network(), sets, examples[8:], config, AugmentConfig(), 3, 1, folder, listeners)


@pytest.fixture
def small_files() -> Iterator[None]:
    """Puts the limit of a file's size back: what the kernel refuses beyond it stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_is_told_and_the_training_goes_on_when_there_is_room(
    examples: list[Example], tmp_path: Path
) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def fill(epoch: int, figures: Mapping[str, float]) -> None:
        if epoch == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))

    with pytest.raises(InputError, match=r"cannot be written: .*; make room; the last good checkpoint is kept in"):
        listened(examples, tmp_path, fill)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert [path.name for path in tmp_path.glob(".*")] == []  # no half file
    epochs: list[int] = []
    outcome = listened(examples, tmp_path, lambda epoch, figures: epochs.append(epoch))
    whole = listened(examples, tmp_path / "whole", lambda epoch, figures: None)
    assert epochs == [1, 2]
    assert outcome.history == whole.history
    assert outcome.best_weights.read_bytes() == whole.best_weights.read_bytes()


def test_no_room_is_no_other_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space left on device"), told(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "f")
    with pytest.raises(PermissionError), told(tmp_path):
        raise PermissionError(errno.EACCES, "no", "f")


def test_a_loading_process_that_dies_is_told(examples: list[Example], tmp_path: Path) -> None:
    others = set(psutil.Process().children())  # a server that other tests use, for one

    def kill_one(epoch: int, figures: Mapping[str, float]) -> None:
        if epoch == 0:
            loading = [child for child in psutil.Process().children() if child not in others]
            loading[0].send_signal(signal.SIGKILL)

    with pytest.raises(InputError, match=r"a loading process died .*; the last good checkpoint"):
        listened(examples, tmp_path, kill_one, workers=1)
    assert (tmp_path / LAST).is_file()
    assert len(listened(examples, tmp_path, lambda epoch, figures: None, workers=1).history) == 3


def test_what_a_loading_process_refuses_is_one_sentence(examples: list[Example], tmp_path: Path) -> None:
    def spoil(epoch: int, figures: Mapping[str, float]) -> None:
        photo.write_bytes(b"no photo")

    photo = tmp_path / "photo.png"
    photo.write_bytes(examples[0].image.read_bytes())
    spoilt = [Example(1, photo, examples[0].mask), *examples[1:]]
    with pytest.raises(InputError) as found:
        listened(spoilt, tmp_path, spoil, workers=1, cache_gb=0)
    assert str(found.value) == f"{photo}: cannot be decoded; expected a JPEG or PNG image"


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(examples: list[Example], tmp_path: Path) -> None:
    network = small_network()
    before: list[bytes] = []

    def spoil(epoch: int, figures: Mapping[str, float]) -> None:
        before.append((tmp_path / LAST).read_bytes())
        next(network.parameters()).data.fill_(float("nan"))

    with pytest.raises(InputError, match="epoch 1: the loss is not finite; the last good checkpoint is kept"):
        listened(examples, tmp_path, spoil, network)
    assert [(tmp_path / LAST).read_bytes()] == before


def test_weights_that_burst_at_the_last_step_of_an_epoch_are_not_kept(examples: list[Example], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="epoch 0: the loss is not finite"):
        # one step in each epoch: its loss is that of the first weights, and finite
        listened(
            examples, tmp_path, print, learning_rate=1e30, warmup_epochs=0, clip_norm=0, optimizer="sgd", batch_size=8
        )
    assert not (tmp_path / LAST).exists()


def test_a_truncated_checkpoint_is_one_sentence(examples: list[Example], tmp_path: Path) -> None:
    train(build_network(SMALL, 11), examples, tmp_path, epochs=1)
    whole = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"last\.ckpt: no whole checkpoint"):
        train(build_network(SMALL, 11), examples, tmp_path, epochs=1)


def test_a_fold_without_a_labelled_pixel_is_one_sentence(examples: list[Example], tmp_path: Path) -> None:
    from trashseg.classes import CONTEST
    from trashseg.io import write_mask

    write_mask(tmp_path / "void.png", np.full((64, 64), 255, np.uint8), CONTEST.palette())
    blank = [Example(1, examples[0].image, tmp_path / "void.png")]
    config = TrainConfig(image_size=(32, 32), batch_size=4, threads=1, epochs=1)
    sets = [ExampleSet(examples[:8], 1.0)]
    with pytest.raises(InputError, match="no validation image has a labelled pixel"):
        fit(build_network(SMALL, 11), sets, blank, config, AugmentConfig(), 1, 1, tmp_path / "kept")
