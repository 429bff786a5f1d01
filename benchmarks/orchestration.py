"""What the orchestration costs: a run with nothing to do, and a stage over running its command by hand.

no change: the flow on an up-to-date graph of 34 stages (as many as the sample
has), against `dvc status` and the start of Prefect's temporary server.
per stage: ten stages that only write a line, through the flow, against the
same ten commands by hand. With `--slots` also the sample itself with one and
with two trainings side by side (tens of minutes).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]

START_OF_PREFECT = """
from flows.environment import prepare
prepare()
from prefect import flow
@flow
def nothing(): pass
nothing()
"""


def environment() -> dict[str, str]:
    """A shell of its own: no server, no tracking, this Python."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    return {**own, "PYTHONPATH": str(REPOSITORY), "TRASHSEG_TRACKING": "off", "DVC_NO_ANALYTICS": "1"}


def graph(folder: Path, stages: int) -> None:
    """A repository of stages that write one line each, all after the first."""
    written = {"dataset": {"cmd": "mkdir -p out && echo 0 > out/0", "deps": ["dvc.yaml"], "outs": ["out/0"]}}
    for i in range(1, stages):
        written[f"stage{i}"] = {"cmd": f"echo {i} > out/{i}", "deps": ["out/0"], "outs": [f"out/{i}"]}
    (folder / "source.txt").write_text("nothing\n")
    written["dataset"]["deps"] = ["source.txt"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": written}))
    values = yaml.safe_load((REPOSITORY / "presets" / "sample.yaml").read_text())
    values["data"] = {"source": "coco", "root": "source.txt"}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)


def seconds(command: Sequence[str], folder: Path) -> float:
    """Wall time of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.perf_counter() - start


def best(command: Sequence[str], folder: Path, times: int = 3) -> float:
    """The fastest of some runs: what the machine can do when nothing else bothers it."""
    return min(seconds(command, folder) for _ in range(times))


FLOW = [sys.executable, "-m", "flows.full_pipeline"]
STATUS = [sys.executable, "-m", "dvc", "status"]


def no_change(folder: Path) -> None:
    """A run with nothing to do."""
    graph(folder, 34)
    seconds(FLOW, folder)
    flow, status = best(FLOW, folder), best(STATUS, folder)
    prefect = best([sys.executable, "-c", START_OF_PREFECT], folder)
    print(f"no change, 34 stages: flow {flow:.1f} s, dvc status {status:.1f} s, start of Prefect {prefect:.1f} s")
    print(f"    flow / (dvc status + start of Prefect) = {flow / (status + prefect):.2f}")


def per_stage(folder: Path, stages: int = 11) -> None:
    """What the flow adds to each stage."""
    graph(folder, stages)
    seconds([*FLOW, "--until", "dataset"], folder)
    idle = seconds([*FLOW, "--until", "dataset"], folder)
    flow = seconds(FLOW, folder)
    by_hand = sum(seconds(["sh", "-c", f"echo {i} > out/{i}"], folder) for i in range(1, stages))
    added = (flow - idle - by_hand) / (stages - 1)
    print(f"per stage: {added:.2f} s over running its command by hand ({stages - 1} stages side by side)")


def slots() -> None:
    """The sample with one and with two trainings side by side, everything computed anew in a clone."""
    for count in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "clone"
            subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(folder)], check=True)
            print(
                f"sample, {count} trainings side by side: {seconds([*FLOW, '--trainings', str(count)], folder):.0f} s"
            )


def main() -> None:
    """Print the figures."""
    for measure in (no_change, per_stage):
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name))
    if "--slots" in sys.argv:
        slots()


if __name__ == "__main__":
    main()
