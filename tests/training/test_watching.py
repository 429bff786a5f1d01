"""What is seen of a training: a live bar, photos with answers, TensorBoard, lines of JSON, the memory it will need."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from tests.training.test_loop import SMALL
from trashseg.classes import CONTEST
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Example
from trashseg.models.networks import Architecture, build_network
from trashseg.training.config import TrainConfig
from trashseg.training.curves import json_lines, tensorboard
from trashseg.training.journal import Journal, Listeners
from trashseg.training.loaders import prepare, training_loader, validation_loader
from trashseg.training.loop import fit, make_module, make_trainer, quiet
from trashseg.training.memory import saved_bytes
from trashseg.training.module import Answer, Showing, shown_photos
from trashseg.training.progress_bar import ProgressBar
from trashseg.training.sets import ExampleSet

CONFIG = TrainConfig(image_size=(32, 32), batch_size=4, threads=1, epochs=4, overlay_every=2)


def test_photos_are_shown_at_the_chosen_epochs(examples: list[Example], tmp_path: Path) -> None:
    seen: dict[int, list[Answer]] = {}
    listeners = Listeners(answers=(lambda epoch, answers: seen.update({epoch: list(answers)}),))
    sets = [ExampleSet(examples[:4], 1.0)]
    fit(build_network(SMALL, 11), sets, examples[4:], CONFIG, AugmentConfig(), 4, 1, tmp_path, listeners)
    assert sorted(seen) == [1, 3]
    assert len(seen[1]) == 6  # of eight held out
    for answer in seen[3]:
        assert answer.image_HWC.shape == (32, 32, 3) and answer.truth_HW.shape == answer.answer_HW.shape == (32, 32)
        assert answer.answer_HW.max() < 11 and (answer.truth_HW[:1] == 255).all()


def test_which_epochs_and_photos_are_shown() -> None:
    assert [epoch for epoch in range(7) if Showing(every=3, epochs=7).due(epoch)] == [2, 5, 6]
    # validated after epochs 2, 4 and 6: the first behind each multiple
    assert [epoch for epoch in (1, 3, 5) if Showing(every=3, validate_every=2, epochs=9).due(epoch)] == [3, 5]
    assert not any(Showing(every=0, epochs=3).due(epoch) for epoch in range(3))
    assert shown_photos(100) == {0, 20, 40, 59, 79, 99} and shown_photos(2) == {0, 1}


def test_a_live_bar_tells_time_left_speed_loss_and_miou(examples: list[Example], tmp_path: Path) -> None:
    text = io.StringIO()
    journal = Journal(tmp_path, 4)
    bar = ProgressBar(journal, Console(file=text, force_terminal=True, width=160))
    config = CONFIG.model_copy(update={"image_size": (64, 64)})
    material = prepare([ExampleSet(examples[:8], 1.0)], examples[8:], 11, config)
    module = make_module(build_network(SMALL, 11), config, AugmentConfig(), None, 8, 4, 0)
    with quiet():
        trainer = make_trainer(config, 4, [journal, bar], tmp_path)
        trainer.fit(module, training_loader(material, config, AugmentConfig(), 0), validation_loader(material, config))
    shown = text.getvalue()
    assert "images/s, loss " in shown and "8/8" in shown and f"(best {journal.best['miou']:.3f})" in shown


def test_a_log_has_our_lines_alone(
    examples: list[Example], tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    sets = [ExampleSet(examples[:4], 1.0)]
    fit(build_network(SMALL, 11), sets, examples[4:], CONFIG, AugmentConfig(), 1, 1, tmp_path)
    told = capfd.readouterr()
    assert told.out == "" and caplog.text == ""
    assert [line.startswith("epoch 1/1: loss ") for line in told.err.splitlines()] == [True]


def test_tensorboard_has_curves_and_pictures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    listeners = tensorboard(tmp_path, CONTEST)
    listeners.figures[0](0, {"train_loss": 1.5, "iou/2": 0.25})
    blank = np.zeros((8, 8), np.uint8)
    listeners.answers[0](0, [Answer(np.zeros((8, 8, 3), np.uint8), blank, blank)])
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"train_loss", "iou/Paper"}
    assert events.Scalars("train_loss")[0].value == 1.5
    assert events.Tags()["images"] == ["photo, truth, answer"]


def test_figures_as_lines_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path / "new" / "figures.jsonl", Path("-")):
        listen = json_lines(place)
        listen(0, {"val_miou": 0.5})
        listen(1, {"val_miou": 0.75})
    written = (tmp_path / "new" / "figures.jsonl").read_text()
    assert written == capsys.readouterr().out
    assert [json.loads(line)["val_miou"] for line in written.splitlines()] == [0.5, 0.75]


@pytest.mark.parametrize("name", ["unet", "fpn"])
def test_the_memory_told_is_what_autograd_keeps(name: str) -> None:
    network = build_network(Architecture(name, "resnet18"), 11)
    kept: dict[int, torch.Tensor] = {}
    own = {tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits_BCHW = network.train()(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    really = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert saved_bytes(network, (64, 96), 2) == pytest.approx(really + 3 * logits_BCHW.numel() * 4, rel=0.02)
    assert next(network.parameters()).device.type == "cpu"
