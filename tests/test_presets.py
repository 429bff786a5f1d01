"""Presets and single values take the place of params.yaml, and what was there comes back."""

import shutil
from pathlib import Path

import pytest
import yaml

from trashseg import presets
from trashseg.errors import InputError
from trashseg.params import check

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample's params.yaml and a second preset that differs in its seed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trashseg/data/sample").mkdir(parents=True)
    (tmp_path / "presets").mkdir()
    shutil.copy(REPOSITORY / "presets" / "sample.yaml", "presets")
    shutil.copy("presets/sample.yaml", "params.yaml")
    text = Path("params.yaml").read_text()
    Path("presets/other.yaml").write_text(text.replace("seed: 0", "seed: 5"))
    return tmp_path


def seed() -> int:
    value: int = yaml.safe_load(Path("params.yaml").read_text())["seed"]
    return value


def test_a_run_without_a_preset_brings_back_what_was_there() -> None:
    edited = Path("params.yaml").read_text().replace("seed: 0", "seed: 2")
    Path("params.yaml").write_text(edited)
    presets.switch("other")
    assert seed() == 5
    presets.switch("sample")
    assert seed() == 0
    presets.switch(None)
    assert Path("params.yaml").read_text() == edited
    assert presets.switch(None) == "params.yaml: as it is"


def test_an_edit_after_the_switch_stays() -> None:
    presets.switch("other")
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: 5", "seed: 6"))
    assert "it stays" in presets.switch(None)
    assert seed() == 6


def test_single_values_over_a_preset() -> None:
    presets.switch("other", {"train.epochs": 3})
    values = yaml.safe_load(Path("params.yaml").read_text())
    assert values["seed"] == 5 and values["train"]["epochs"] == 3
    presets.switch(None)
    assert Path("params.yaml").read_bytes() == Path("presets/sample.yaml").read_bytes()


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("othr", {}, r"no such preset \(did you mean 'other'\?\)"),
        (None, {"refine.iterationz": [1]}, r"params.yaml: unknown key 'refine.iterationz' \(did you mean 'iterations'"),
        (None, {"seed.x": 1}, "'seed' holds no keys"),
        (None, {"rounds": [{"id": "a b; rm", "teacher": "none"}]}, "expected a name of letters, digits and _"),
    ],
)
def test_what_is_wrong_changes_nothing(name: str | None, overrides: dict[str, object], message: str) -> None:
    before = Path("params.yaml").read_bytes()
    with pytest.raises(InputError, match=message):
        presets.switch(name, overrides)
    assert Path("params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("folds", [1, 2], r"key 'folds': expected \[0, 1\]"),
        ("models", ["unett"], r"no network 'unett' in 'networks' \(did you mean 'unet'"),
        ("rounds", [{"id": "r0", "teacher": "r1"}], "expected 'none' or an earlier round"),
        ("models", ["unet", "unet"], "'unet' is named twice"),
        ("seed", -1, "key 'seed'"),
        ("data", {"source": "coco", "root": "no/such"}, "key 'data.root': no file or folder 'no/such'"),
        ("networks", {"$(touch x)": {}, "unet": {}}, "networks"),
    ],
)
def test_sections_that_do_not_fit_each_other(key: str, value: object, message: str) -> None:
    values = yaml.safe_load(Path("params.yaml").read_text())
    if key == "networks":
        values["models"] = ["$(touch x)"]
        message = "expected a name of letters"
    Path("params.yaml").write_text(yaml.safe_dump({**values, key: value}))
    with pytest.raises(InputError, match=message):
        check()
