"""`training`: steps per second of our loop against a plain one, and what each switch of speed does.

Both train the same network in the same precision on batches of the same size
from the same loader, with the same loss and optimiser; the plain loop is
forward, backward, clip, step and nothing else. Both take turns in one run. On
the CPU, CPU seconds are counted, which other work on the machine does not
change; for what works on several cores at a time (threads, loading processes),
and on a GPU, seconds on the wall's clock.

Where there is a GPU, the original's way (float32, batches of 5, float images
normalised on the CPU, no workers) is the peer of everything switched on, and
the share of time that the loop waits for data is told.
"""

import argparse
import copy
import dataclasses
import functools
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch

from trashseg.classes import CONTEST
from trashseg.data.augment_config import AugmentConfig
from trashseg.data.dataset import Example
from trashseg.io import write_image, write_mask
from trashseg.models.networks import Architecture, SegmentationNetwork, build_network
from trashseg.models.optimizers import parameter_groups
from trashseg.training.config import TrainConfig
from trashseg.training.loaders import Material, prepare, training_loader, validation_loader
from trashseg.training.loop import make_module, make_trainer, quiet
from trashseg.training.sets import ExampleSet

CLASSES = 11
TURNS = 3


class Stopwatch(pl.Callback):
    """Seconds from the end of the first step to that of the last, and those spent between steps."""

    def __init__(self, clock: Callable[[], float], device: torch.device) -> None:
        self.clock, self.device = clock, device
        self.steps, self.waited, self.begun, self.ended = -1, 0.0, 0.0, 0.0
        self.made, self.marks = clock(), list[float]()

    def now(self) -> float:
        """The clock, after everything the device was told."""
        if self.device.type == "cuda" and self.steps < 0:
            torch.cuda.synchronize()
        return self.clock()

    def on_train_batch_start(self, *_: Any) -> None:
        if self.steps >= 0:
            self.waited += self.clock() - self.ended

    def on_train_batch_end(self, *_: Any) -> None:
        self.ended = self.now()
        self.steps += 1
        self.marks.append(self.ended)
        if self.steps == 0:
            self.begun = self.ended

    def on_train_epoch_end(self, *_: Any) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.ended = self.clock()

    @property
    def waiting(self) -> float:
        """The share of time between steps."""
        return self.waited / (self.ended - self.begun)

    @property
    def usual(self) -> float:
        """Seconds of the median step."""
        return statistics.median(b - a for a, b in itertools.pairwise(self.marks))

    @property
    def warm_up(self) -> float:
        """Seconds in all beyond that of each step at its usual speed."""
        return self.marks[-1] - self.made - len(self.marks) * self.usual

    @property
    def seconds(self) -> float:
        """Seconds of one step."""
        return (self.ended - self.begun) / self.steps


def draw(folder: Path, count: int, side: int) -> list[Example]:
    """Noise with a rectangle of a class."""
    rng = np.random.default_rng(0)
    examples = []
    for number in range(count):
        mask_HW = np.zeros((side, side), np.uint8)
        mask_HW[side // 4 : side // 2, side // 4 : side // 2] = 1 + number % 10
        write_image(folder / f"{number}.jpg", rng.integers(0, 256, (side, side, 3)).astype(np.uint8))
        write_mask(folder / f"{number}.png", mask_HW, CONTEST.palette())
        examples.append(Example(number, folder / f"{number}.jpg", folder / f"{number}.png"))
    return examples


def ours(
    network: SegmentationNetwork,
    material: Material,
    config: TrainConfig,
    clock: Callable[[], float],
    fused: bool = False,
) -> Stopwatch:
    """One epoch of ours; `fused` also fuses the optimiser on the CPU, where a training does not."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    watch = Stopwatch(clock, device)
    augment = AugmentConfig()
    loader = training_loader(material, config, augment, 0)
    module = make_module(copy.deepcopy(network), config, augment, None, len(loader), 1, 0)
    if fused:
        module.make_optimizer = lambda trained: torch.optim.AdamW(
            parameter_groups(trained, config.learning_rate, config.weight_decay, config.encoder_factor), fused=True
        )
    with quiet(), tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(config, 1, [watch], Path(folder))
        trainer.limit_val_batches = 0
        trainer.fit(module, loader, validation_loader(material, config))
    return watch


def plain(
    network: SegmentationNetwork,
    material: Material,
    config: TrainConfig,
    clock: Callable[[], float],
    on_the_cpu: bool = False,
) -> Stopwatch:
    """One epoch of a loop that is no more than it must be; `on_the_cpu`: images become floats there."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    watch = Stopwatch(clock, device)
    loader = training_loader(material, config, AugmentConfig(), 0)
    module = make_module(copy.deepcopy(network), config, AugmentConfig(), None, len(loader), 1, 0).to(device).train()
    optimizer = module.make_optimizer(module.network)
    half = device.type == "cuda" and config.precision != "32"
    for image_BCHW, mask_BHW in loader:
        watch.on_train_batch_start()
        image_BCHW = image_BCHW.float().to(device) if on_the_cpu else image_BCHW.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half or config.precision == "bf16"):
            logits_BCHW = module.network(image_BCHW)
        loss = module.loss(logits_BCHW.float(), mask_BHW.to(device).long())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.network.parameters(), config.clip_norm)
        optimizer.step()
        watch.on_train_batch_end()
    watch.on_train_epoch_end()
    return watch


def turns(actions: Sequence[Callable[[], Stopwatch]], count: int) -> list[list[Stopwatch]]:
    """Each action's stopwatches, the actions taking turns."""
    rounds = [[action() for action in actions] for _ in range(count)]
    return [list(each) for each in zip(*rounds, strict=True)]


def best(watches: Sequence[Stopwatch]) -> float:
    """Steps per second, of the fastest turn."""
    return 1 / min(watch.seconds for watch in watches)


def ratio(first: Sequence[Stopwatch], second: Sequence[Stopwatch]) -> float:
    """How many times as fast the second is, the median over turns."""
    return statistics.median(a.seconds / b.seconds for a, b in zip(first, second, strict=True))


def loops(network: SegmentationNetwork, material: Material, config: TrainConfig, clock: Callable[[], float]) -> None:
    """Print ours against the plain loop."""
    peers = turns(
        [lambda: plain(network, material, config, clock), lambda: ours(network, material, config, clock)], TURNS
    )
    print(
        f"  loop: plain {best(peers[0]):.3f} steps/s, ours {best(peers[1]):.3f} steps/s, "
        f"{best(peers[1]) / best(peers[0]):.3f} times as many (median of {TURNS} turns {ratio(*peers):.3f})"
    )


@dataclasses.dataclass(frozen=True)
class Switch:
    """What is compared: settings without and with it, by which clock, in how many turns."""

    off: Mapping[str, Any]
    on: Mapping[str, Any]
    clock: Callable[[], float] = time.process_time
    turns: int = TURNS
    fused: bool = False

    @property
    def clocked(self) -> str:
        """The clock's name."""
        return "wall" if self.clock is time.perf_counter else "CPU"


def cpu_of_all() -> float:
    """CPU seconds of this process and of those it ran and awaited: the C++ compiler, for one."""
    return sum(os.times()[:4])


SWITCHES: Mapping[str, Switch] = {
    "channels_last": Switch({"channels_last": False}, {"channels_last": True}),
    "ema": Switch({"ema_decay": 0.0}, {"ema_decay": 0.999}),
    "fused": Switch({}, {}, fused=True),
    "threads": Switch({"threads": 1}, {"threads": 2}, time.perf_counter),
    "workers": Switch({"workers": 0}, {"workers": 1}, time.perf_counter),
    "workers_beside_threads": Switch({"workers": 0, "threads": 2}, {"workers": 1, "threads": 2}, time.perf_counter),
    "bf16": Switch({"precision": "32"}, {"precision": "bf16"}, turns=1),
    "compile": Switch({"compile": False}, {"compile": True}, cpu_of_all, turns=1),
}
"""What works on several cores at a time is measured by the clock on the wall, and wants a quiet machine."""


def switches(network: SegmentationNetwork, material: Material, config: TrainConfig, names: Sequence[str]) -> None:
    """Print what each switch does to the steps per second on this CPU, against the same without it."""
    for name in names:
        switch = SWITCHES[name]

        def run(on: bool, switch: Switch = switch) -> Stopwatch:
            changed = config.model_copy(update=dict(switch.on if on else switch.off))
            torch.set_num_threads(changed.threads or 1)
            using = dataclasses.replace(material, workers=changed.workers or 0)
            return ours(network, using, changed, switch.clock, fused=switch.fused and on)

        with tempfile.TemporaryDirectory() as folder:
            # what an earlier run compiled is compiled again, and in this process, so that its CPU seconds count
            os.environ |= {"TORCHINDUCTOR_CACHE_DIR": folder, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
            off, on = turns([functools.partial(run, False), functools.partial(run, True)], switch.turns)
        told = ", ".join(f"{key} {value}" for key, value in switch.on.items()) or name
        print(
            f"  {told}: {ratio(off, on):.2f} times the steps per {switch.clocked} second of "
            f"{', '.join(f'{key} {value}' for key, value in switch.off.items()) or 'the same without'} "
            f"(turns: {', '.join(f'{a.seconds / b.seconds:.2f}' for a, b in zip(off, on, strict=True))})"
        )
        if name == "compile":
            pays(off[0], on[0])
        if "workers" in switch.on:
            share = statistics.median(watch.waiting for watch in off)
            print(f"    without it {share:.1%} of the time passes between steps, in loading: all that can be gained")


def pays(plainly: Stopwatch, compiled: Stopwatch) -> None:
    """Print how long compiling takes, what each step then gains, and after how many steps the one is earned."""
    cost, gain = compiled.warm_up - plainly.warm_up, plainly.usual - compiled.usual
    after = f"earned after {cost / gain:.0f} steps" if gain > 0 else "never earned"
    print(
        f"    compiling takes {cost:.0f} CPU seconds; the median step then takes {compiled.usual:.3f}, without it "
        f"{plainly.usual:.3f} ({plainly.usual / compiled.usual:.2f} times the steps): {after}"
    )


def gpu(network: SegmentationNetwork, examples: list[Example], config: TrainConfig) -> None:
    """Print everything on against the original's way, in images per second."""
    original = config.model_copy(update={"batch_size": 5, "precision": "32", "channels_last": False, "workers": 0})
    ways = []
    for settings, action in ((original, plain), (config, ours)):
        material = prepare([ExampleSet(examples, 1.0)], examples[:1], CLASSES, settings)
        torch.cuda.reset_peak_memory_stats()
        extra = {"on_the_cpu": True} if action is plain else {}
        watch = action(network, material, settings, time.perf_counter, **extra)  # type: ignore[operator]
        ways.append((settings.batch_size / watch.seconds, watch, torch.cuda.max_memory_allocated() / 2**30))
    (slow, _, slow_gib), (fast, watch, fast_gib) = ways
    print(
        f"  {torch.cuda.get_device_name()}: the original's way {slow:.1f} images/s ({slow_gib:.1f} GiB), everything on "
        f"{fast:.1f} images/s ({fast_gib:.1f} GiB): {fast / slow:.2f} times; waiting for data at most "
        f"{watch.waiting:.1%}"
    )


def measure(
    architecture: Architecture, side: int, batch_size: int, steps: int, names: Sequence[str], peer: bool
) -> None:
    """Print all of it for one network; on the CPU the plain loop only as a `peer`."""
    torch.manual_seed(0)
    network = build_network(architecture, CLASSES)
    config = TrainConfig(image_size=(side, side), batch_size=batch_size, threads=1, images_per_epoch=batch_size * steps)
    with tempfile.TemporaryDirectory() as name:
        examples = draw(Path(name), max(16, batch_size), side)
        print(f"{architecture.name} {architecture.encoder}, {side}x{side}, batches of {batch_size}, {steps} steps")
        if torch.cuda.is_available():
            gpu(network, examples, config)
            return
        torch.set_num_threads(1)
        material = prepare([ExampleSet(examples, 1.0)], examples[:1], CLASSES, config)
        if peer:
            loops(network, material, config, time.process_time)
        switches(network, material, config, names)


def main() -> None:
    """Measure the network given, on a GPU where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="Unet")
    parser.add_argument("--encoder", default="tu-tf_mobilenetv3_small_minimal_100", help="e.g. efficientnet-b5")
    parser.add_argument("--side", type=int, default=128, help="pixels, e.g. 512")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument(
        "--switches", nargs="*", choices=SWITCHES, default=[name for name in SWITCHES if name != "compile"]
    )
    parser.add_argument("--no-loops", action="store_true", help="the switches alone, not the plain loop")
    given = parser.parse_args()
    architecture = Architecture(given.architecture, given.encoder)
    measure(architecture, given.side, given.batch_size, given.steps, given.switches, not given.no_loops)


if __name__ == "__main__":
    main()
