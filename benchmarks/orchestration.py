"""What the orchestration costs: a run with nothing to do, and a stage over running its command by hand.

no change: the flow on an up-to-date graph of 34 stages (as many as the sample
has), against `dvc status` and the start of Prefect's temporary server.
per stage: ten stages that only write a line, through the flow, against the
same ten commands by hand. `--workers` measures instead what sending stages to
two workers in clones of their own costs, with a server and a folder as remote;
`--slots` three trainings of the sample, one and two at a time.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from flows.temporary_server import answers

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
DVC = [sys.executable, "-m", "dvc"]
STATUS = [*DVC, "status"]


def no_change(folder: Path) -> None:
    """A run with nothing to do."""
    graph(folder, 34)
    seconds(FLOW, folder)
    flow, status = best(FLOW, folder), best(STATUS, folder)
    prefect = best([sys.executable, "-c", START_OF_PREFECT], folder)
    print(f"no change, 34 stages: flow {flow:.1f} s, dvc status {status:.1f} s, start of Prefect {prefect:.1f} s")
    print(f"    flow / (dvc status + start of Prefect) = {flow / (status + prefect):.2f}")


def per_stage(folder: Path, stages: int = 11) -> None:
    """What the flow adds to each stage, and what of it a bare `dvc repro` adds as well."""
    added = {}
    by_hand = 0.0
    for name, command, first in (("flow", FLOW, ["--until", "dataset"]), ("dvc", [*DVC, "repro"], ["dataset"])):
        (folder / name).mkdir()
        graph(folder / name, stages)
        seconds([*command, *first], folder / name)
        idle = seconds([*command, *first], folder / name)
        by_hand = by_hand or sum(seconds(["sh", "-c", f"echo {i} > out/{i}"], folder / name) for i in range(1, stages))
        added[name] = (seconds(command, folder / name) - idle - by_hand) / (stages - 1)
    print(f"per stage: {added['flow']:.2f} s over running its command by hand ({stages - 1} stages side by side)")
    print(
        f"    {added['dvc']:.2f} s in a bare dvc repro: locks, hashes, cache; the rest: a fork of dvc, Prefect's states"
    )


SEND = [sys.executable, "-c", "from flows.full_pipeline import full_pipeline; full_pipeline(where='workers')"]


def git(folder: Path, *arguments: str) -> None:
    """git, as somebody."""
    command = ["git", "-c", "user.name=b", "-c", "user.email=b@b", "-c", "init.defaultBranch=main", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def origin(folder: Path, stages: int) -> None:
    """A committed graph with a folder as DVC remote and `stage/gpu` as its deployment."""
    folder.mkdir()
    graph(folder, stages)
    subprocess.run([*DVC, "remote", "add", "--default", "store", str(folder.parent / "store")], cwd=folder, check=True)
    shutil.copytree(REPOSITORY / "flows", folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "presets", folder / "presets")
    content = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    stage = next(entry for entry in content["deployments"] if entry["entrypoint"].endswith("stage_here"))
    stage["pull"] = [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $TRASHSEG_CLONE }}"}}]
    (folder / "prefect.yaml").write_text(yaml.safe_dump({**content, "definitions": None, "deployments": [stage]}))
    (folder / ".gitignore").write_text("/out\n__pycache__/\n/.trashseg/\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-m", "graph")


def through_workers(folder: Path, stages: int = 11) -> None:
    """What sending a stage to one of two workers adds to it."""
    origin(folder / "origin", stages)
    for name in ("head", "worker0", "worker1"):
        git(folder, "clone", "origin", name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shell = {**environment(), "PREFECT_HOME": str(folder / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    prefect = [sys.executable, "-m", "prefect"]
    server = [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    running = [subprocess.Popen(server, env=shell, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    api = f"http://127.0.0.1:{port}/api"
    shell["PREFECT_API_URL"] = api
    try:
        while not answers(f"{api}/health"):
            time.sleep(0.2)
        deploy = [sys.executable, "-m", "flows.deploy"]
        subprocess.run(deploy, cwd=folder / "head", env=shell, check=True, capture_output=True)
        for name in ("worker0", "worker1"):
            own = {**shell, "TRASHSEG_CLONE": str(folder / name)}
            command = [*prefect, "worker", "start", "--pool", "gpu", "--name", name, "--limit", "1"]
            running.append(subprocess.Popen(command, cwd=folder / name, env=own, stdout=subprocess.DEVNULL))
        start = time.perf_counter()
        subprocess.run(SEND, cwd=folder / "head", env=shell, check=True, capture_output=True)
        wall = time.perf_counter() - start
    finally:
        for process in reversed(running):  # the server last: without it a worker does not end when it is asked to
            process.terminate()
            process.wait()
    print(f"two workers: {wall:.1f} s for {stages} stages, {wall / stages:.1f} s a stage and {2 * wall / stages:.1f} s")
    print("    of a worker's time each: a process with prefect and dvc, git, restoring what it needs, pushing")


def slots() -> None:
    """The three trainings of the sample's first round, four epochs each, one and two at a time, anew in a clone."""
    short = ["--set", "rounds=[{id: r0, teacher: none}]", "--set", "train.epochs=4"]
    for count in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "clone"
            subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(folder)], check=True)
            seconds([*FLOW, *short, "--until", "oversample", "copy_paste", "pseudo_label"], folder)
            wall = seconds([*FLOW, *short, "--until", "train", "--trainings", str(count)], folder)
            print(f"three trainings of the sample, {count} at a time: {wall:.0f} s")


def main() -> None:
    """Print the figures."""
    for measure in (no_change, per_stage) if len(sys.argv) == 1 else ():
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name))
    if "--workers" in sys.argv:
        with tempfile.TemporaryDirectory() as name:
            through_workers(Path(name))
    if "--slots" in sys.argv:
        slots()


if __name__ == "__main__":
    main()
