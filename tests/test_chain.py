"""The whole chain on a tiny sample, twice through each driver, in a DVC repository of its own.

Trainings are short enough that nothing is learnt; what is shown is that both
drivers finish, agree byte for byte, and find each other's work done.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.timeout(1200)

TINY = {
    "sample": {"train_images": 24, "test_images": 6, "side_px": 64},
    "folds": [0, 1],
    "networks": {
        "unet": {
            "architecture": "Unet",
            "encoder": "timm-mobilenetv3_small_minimal_100",
            "encoder_weights": None,
            "options": {"decoder_channels": [32, 16, 16, 8, 8]},
        }
    },
    "augment": {},
    "submission": {},
    "oversample": {"count": 2},
    "copy_paste": {"count": 2, "quotas": {}},
    "train": {"image_size": [64, 64], "epochs": 1, "student_epochs": 1, "batch_size": 8, "threads": 1},
    "predict": {"flips": ["none", "horizontal"]},
    "pseudo_label": {"min_teacher_miou": 0.0, "min_images": 1},
    "refine": {"search_images": 4, "bilateral_srgb": [5.0]},
    "evaluate": {"bootstrap_samples": 100},
    "export": {"parity_images": 1},
}

ROUNDS = [{"id": "r0", "teacher": "none"}, {"id": "r1", "teacher": "r0"}]

OVER_ALL_ROUNDS = {"pool", "select", "submission", "report", "export"}


class Checkout:
    """A copy of this checkout with tiny numbers, in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def run(self, *command: str, code: int = 0) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout + done.stderr

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def flow(self, *arguments: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "flows.full_pipeline", *arguments, code=code)

    def states(self, output: str) -> list[str]:
        """How each Prefect task ended, from the log."""
        return [
            line.split("Finished in state ")[1].split("(")[0]
            for line in output.splitlines()
            if "Task run" in line and "Finished in state " in line
        ]

    def edit(self, **sections: object) -> None:
        path = self.folder / "params.yaml"
        values = yaml.safe_load(path.read_text())
        for key, value in sections.items():
            values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(values, sort_keys=False))


def outputs(lock: str) -> dict[str, object]:
    """What each stage wrote, by content, from the text of dvc.lock."""
    return {name: stage["outs"] for name, stage in yaml.safe_load(lock)["stages"].items()}


def lay_out_artifacts(folder: Path) -> None:
    """The folders that git keeps below artifacts/: what the first round's teacher, nobody, has."""
    for file in (REPOSITORY / "artifacts").glob("*/none/README.md"):
        place = folder / file.relative_to(REPOSITORY)
        place.parent.mkdir(parents=True)
        shutil.copy(file, place)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Iterator[Checkout]:
    from prefect.settings import PREFECT_API_URL

    folder = tmp_path_factory.mktemp("chain") / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("trashseg", "tasks", "flows", "splits", "presets"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(REPOSITORY / name, folder / name)
    lay_out_artifacts(folder)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "OMP_NUM_THREADS": "1",
        "TRASHSEG_TRACKING": "off",
        "DVC_NO_ANALYTICS": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }
    made = Checkout(folder, environment)
    made.run("git", "init", "-q")
    made.dvc("init", "-q")
    made.edit(**TINY)
    yield made


def test_both_drivers_finish_agree_and_find_nothing_to_do(checkout: Checkout) -> None:
    checkout.edit(rounds=ROUNDS[:1])
    checkout.dvc("repro")
    by_dvc = outputs((checkout.folder / "dvc.lock").read_text())
    assert "up to date" in checkout.dvc("repro").lower()
    assert checkout.states(checkout.flow()) == ["Cached"] * len(by_dvc)

    # a machine that knows nothing: no lock, no run cache, no artefacts; and a second round
    checkout.edit(rounds=ROUNDS)
    (checkout.folder / "dvc.lock").unlink()
    shutil.rmtree(checkout.folder / ".dvc" / "cache")
    shutil.rmtree(checkout.folder / "artifacts")
    lay_out_artifacts(checkout.folder)
    output = checkout.flow()
    by_flow = outputs((checkout.folder / "dvc.lock").read_text())
    assert checkout.states(output) == ["Reproduced"] * len(by_flow)
    assert "mIoU per step" in output and "submission.csv" in output and "make ui" in output
    for stage in by_dvc:
        if stage.partition("@")[0] not in OVER_ALL_ROUNDS:
            assert by_flow[stage] == by_dvc[stage], f"{stage} differs between the drivers"
    assert set(checkout.states(checkout.flow())) == {"Cached"}
    assert "up to date" in checkout.dvc("status")


def test_changing_the_crf_reproduces_it_and_what_follows(checkout: Checkout) -> None:
    checkout.edit(refine={"keep_area_px": 41})
    output = checkout.flow()
    touched = {line.split("'")[1].split("@")[0] for line in output.splitlines() if "in state Reproduced" in line}
    assert "refine" in touched
    assert touched <= {"refine", "evaluate", "select", "submission", "report", "export"}


def test_bad_input_is_one_sentence_and_exit_code_2(checkout: Checkout) -> None:
    before = (checkout.folder / "dvc.lock").read_bytes()
    kept = (checkout.folder / "params.yaml").read_text()
    checkout.edit(refine={"iterationz": [5]})
    output = checkout.flow(code=2)
    (checkout.folder / "params.yaml").write_text(kept)
    assert "unknown key 'refine.iterationz' (did you mean 'iterations'?)" in output and "Traceback" not in output
    assert (checkout.folder / "dvc.lock").read_bytes() == before
