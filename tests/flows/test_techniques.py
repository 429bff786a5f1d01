"""Which techniques a params.yaml uses, and what switches them off."""

from pathlib import Path

import pytest
import yaml

from flows.techniques import TECHNIQUES, variants
from trashseg.config import load
from trashseg.errors import InputError
from trashseg.params import check
from trashseg.presets import _content


def sample(repository: Path) -> dict[str, object]:
    return load(repository / "presets" / "sample.yaml")


def test_what_is_not_in_use_is_left_out(repository: Path) -> None:
    used = variants(sample(repository))
    assert {"oversampling", "copy-paste", "pseudo-labels", "crf", "summed-loss"} <= used.keys()
    assert "second-network" not in used and "weight-averaging" not in used
    assert list(used) == [name for name in TECHNIQUES if name in used], "in the table's order"


def test_values_that_depend_on_the_preset(repository: Path) -> None:
    values = {**sample(repository), "train": {"loss": "focal+dice"}}
    assert variants(values, ["summed-loss"]) == {"summed-loss": {"train.loss": "focal"}}
    assert variants(values, ["pseudo-labels"])["pseudo-labels"] == {"rounds": [{"id": "r0", "teacher": "none"}]}


def test_names_that_cannot_be_measured(repository: Path) -> None:
    with pytest.raises(InputError, match=r"no technique 'crv' .did you mean 'crf'"):
        variants(sample(repository), ["crv"])
    with pytest.raises(InputError, match="technique 'second-network' is not in use; these are: oversampling"):
        variants(sample(repository), ["second-network"])


@pytest.mark.parametrize("preset", ["sample", "contest", "transformer"])
def test_every_variant_of_a_preset_is_a_valid_params_file(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (repository / "presets" / f"{preset}.yaml").read_text()
    values = yaml.safe_load(text)
    values["data"] |= {"root": "."}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    used = variants(load())
    assert len(used) >= 6
    for name, overrides in used.items():
        Path("variant.yaml").write_bytes(_content(None, overrides))
        assert check(Path("variant.yaml")), name
