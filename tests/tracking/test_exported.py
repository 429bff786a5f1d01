"""Which score an export has, and the verb that registers it."""

from pathlib import Path

import numpy as np
import pytest

from trashseg import paths
from trashseg.commands.register import register
from trashseg.data.folds import Folds, write_folds
from trashseg.errors import InputError
from trashseg.io import read_json, write_json
from trashseg.tracking.exported import read_exported, scored_step


@pytest.mark.parametrize(
    ("names", "step"),
    [
        (["unet_0"], "unet folds"),
        (["unet_0", "unet_1"], "unet folds"),
        (["my_net_0", "my_net_1", "unet_0", "unet_1"], "ensemble"),
    ],
)
def test_scored_step(names: list[str], step: str) -> None:
    assert scored_step(names, folds=2) == step


def test_files_never_scored_together_are_refused() -> None:
    with pytest.raises(InputError, match=r"fpn_1, unet_0 were never scored together"):
        scored_step(["unet_0", "fpn_1"], folds=2)


def _export(checkout: Path) -> None:
    facts = {"classes": ["Background", "Paper"], "trained_size": [8, 16]}
    write_json(paths.EXPORT / "parity.json", {"round": "r0", "files": {"unet_0.onnx": facts, "unet_1.onnx": facts}})
    (paths.EXPORT / "unet_0.onnx").write_bytes(b"0")
    (paths.EXPORT / "unet_1.onnx").write_bytes(b"1")
    write_folds(paths.FOLDS / "folds.json", Folds(2, {1: 0, 2: 1}))
    write_json(paths.DATASET / "train_all.json", {"images": []})
    oof = paths.evaluate("r0") / "oof"
    write_json(oof / "metrics.json", {**read_json(oof / "metrics.json"), "refined": True})
    none = np.zeros((0, 2, 2), np.int64)
    np.savez(oof / "per_image.npz", ids=np.zeros(0, np.int64), groups=np.zeros(0, str), miou=none, miou_256=none)


def test_export_is_read_with_its_score(checkout: Path, evaluation: Path) -> None:
    _export(checkout)
    exported = read_exported()
    assert exported.score == 0.52
    assert exported.files == {paths.EXPORT / "unet_0.onnx": (8, 16), paths.EXPORT / "unet_1.onnx": (8, 16)}
    before = exported.fold_digest
    write_folds(paths.FOLDS / "folds.json", Folds(2, {1: 1, 2: 0}))
    assert read_exported().fold_digest != before


def test_register_says_what_became_of_it(checkout: Path, evaluation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _export(checkout)
    register()
    register()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "trashseg version 1: champion, there was no champion",
        "trashseg version 2: not champion, mIoU 0.5200 out of fold does not beat the champion's 0.5200",
    ]


def test_register_without_an_export_names_the_file(checkout: Path) -> None:
    with pytest.raises(InputError, match=r"artifacts/export/parity.json: no such file"):
        register()
