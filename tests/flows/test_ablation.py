"""The flow `ablation` on a toy whose scores depend on what is switched off."""

import json
import subprocess

import pytest

from flows.ablation import ablation
from flows.full_pipeline import full_pipeline
from tests.flows.conftest import Toy

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(1200)]

UP_TO_DATE = "Data and pipelines are up to date."

GRAPH = """\
stages:
  evaluate:
    matrix: {round: '${rounds}'}
    cmd: python score.py '${item.round.id}'
    deps: [source.txt, score.py]
    params: [seed, oversample, copy_paste, train]
    outs: ['artifacts/evaluate/${item.round.id}']
  select:
    cmd: python choose.py
    deps: [artifacts/evaluate, choose.py]
    params: [rounds]
    outs: [artifacts/select]
  submission:
    cmd: cp artifacts/evaluate/r0/seed artifacts/submission
    deps: [artifacts/evaluate, artifacts/select]
    outs: [artifacts/submission]
"""

SCORE = """\
import json, pathlib, sys
import numpy as np, yaml
values = yaml.safe_load(open("params.yaml"))
right = 60 + 20 * (values["oversample"]["count"] > 0) - 10 * (values["copy_paste"]["count"] > 0)
noise = np.random.default_rng(values["seed"]).integers(-3, 4, 40)
confusions = np.array([[[100, 0], [100 - right - n, right + n]] for n in noise])
folder = pathlib.Path("artifacts/evaluate", sys.argv[1], "oof")
folder.mkdir(parents=True)
ids = np.arange(40)
np.savez(folder / "per_image.npz", ids=ids, groups=ids.astype(str), miou=confusions, miou_256=confusions)
json.dump({"refined": True, "steps": []}, open(folder / "metrics.json", "w"))
(folder.parent / "seed").write_text(str(values["seed"]))
open("runs.log", "a").write("evaluate\\n")
"""

CHOOSE = """\
import json, pathlib, yaml
last = yaml.safe_load(open("params.yaml"))["rounds"][-1]["id"]
pathlib.Path("artifacts/select").mkdir(parents=True)
json.dump({"round": last}, open("artifacts/select/selected.json", "w"))
"""


@pytest.fixture
def scored(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A committed toy: experiments hang on a commit."""
    monkeypatch.setenv("TRASHSEG_TRACKING", "off")
    for name, text in (("dvc.yaml", GRAPH), ("score.py", SCORE), ("choose.py", CHOOSE)):
        toy.write(name, text)
    toy.write(".gitignore", "/artifacts\n/runs.log\n/.trashseg/\n")
    for command in (["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "toy"]):
        subprocess.run(["git", *command], cwd=toy.folder, check=True)
    return toy


def test_a_technique_is_measured_and_the_checkout_ends_as_it_began(scored: Toy) -> None:
    state = ablation(techniques=["oversampling"], rounds=1, return_state=True)
    assert state.is_completed(), state.message
    (row,) = json.loads(scored.read("artifacts/ablation/table.json"))["techniques"]
    assert row["technique"] == "oversampling" and row["verdict"] == "helps"
    assert row["interval"][0] <= row["worth"] <= row["interval"][1]
    assert scored.trained == 2 and scored.dvc("status", "select").strip() == UP_TO_DATE
    assert "| oversampling |" in scored.read("artifacts/ablation/table.md")
    experiments = scored.dvc("exp", "list", "--name-only").split()
    assert sorted(experiments) == ["ablation-all-techniques", "ablation-without-oversampling"]


@pytest.mark.faults
def test_what_lies_behind_the_variants_is_not_taken_for_theirs(scored: Toy) -> None:
    def submitted(seed: int) -> str:
        assert full_pipeline(overrides={"seed": seed}, rounds=1, return_state=True).is_completed()
        return scored.read("artifacts/submission")

    assert submitted(seed=1) == "1"
    assert ablation(techniques=["oversampling"], overrides={"seed": 2}, rounds=1, return_state=True).is_completed()
    assert submitted(seed=2) == "2", "the submission of another seed was kept with the experiment"


@pytest.mark.faults
def test_each_technique_gets_its_worth_with_an_interval_and_an_experiment(scored: Toy) -> None:
    before = scored.read("params.yaml")
    names = ["oversampling", "copy-paste", "class-weights"]
    state = ablation(techniques=names, return_state=True)
    assert state.is_completed(), state.message
    table = {row["technique"]: row for row in json.loads(scored.read("artifacts/ablation/table.json"))["techniques"]}
    assert [table[name]["verdict"] for name in names] == ["helps", "hurts", "changes nothing"]
    low, high = table["oversampling"]["interval"]
    assert 0 < low <= table["oversampling"]["worth"] <= high
    assert table["class-weights"]["worth"] == 0 and table["class-weights"]["switched_off_by"]
    assert scored.read("params.yaml") == before
    assert scored.dvc("status", "select").strip() == UP_TO_DATE, "the checkout ends as the whole pipeline left it"
    experiments = scored.dvc("exp", "list", "--name-only")
    assert "ablation-without-copy-paste" in experiments and "ablation-all-techniques" in experiments
    assert scored.trained == 8, "two rounds of four variants; the last word is restored"

    again = ablation(techniques=names, return_state=True)
    assert again.is_completed() and scored.trained == 8, "a second ablation takes everything from the run cache"


@pytest.mark.faults
def test_seeds_are_measured_together_and_bad_names_are_refused(scored: Toy) -> None:
    state = ablation(techniques=["oversampling"], seeds=[1, 2], rounds=1, return_state=True)
    assert state.is_completed(), state.message
    assert scored.trained == 4
    refused = ablation(techniques=["second-network"], return_state=True)
    assert refused.name == "BadInput" and "not in use" in str(refused.message)


@pytest.mark.faults
def test_a_variant_that_fails_is_named_and_params_come_back(scored: Toy) -> None:
    scored.write("score.py", SCORE.replace("right =", "assert values['oversample']['count'], 'broken'\nright ="))
    before = scored.read("params.yaml")
    state = ablation(techniques=["oversampling"], return_state=True)
    assert state.is_failed() and "without oversampling: evaluate@" in str(state.message)
    assert "broken" in str(state.message) and scored.read("params.yaml") == before
