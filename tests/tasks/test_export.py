from pathlib import Path

import pytest

from tasks import export
from trashseg import paths
from trashseg.errors import InputError
from trashseg.inference.config import ExportConfig
from trashseg.io import read_json, write_json

CONFIG = ExportConfig(latency_runs=1, parity_images=2)


@pytest.fixture
def trained(tiny_round: Path, write_tiny_model: object) -> Path:
    """The tiny round, selected, with models of which fold 1 scored better."""
    for fold in (0, 1):
        write_tiny_model(paths.train("r0", "unet", fold), seed=fold)  # type: ignore[operator]
        write_json(paths.train("r0", "unet", fold) / "metrics.json", {"miou": 0.3 + 0.1 * fold})
    write_json(paths.SELECT / "selected.json", {"round": "r0", "step": "ensemble", "reason": ""})
    return tiny_round


def test_the_best_fold_is_exported_and_answers_as_torch_does_at_any_size(trained: Path) -> None:
    export.run([0, 1], ["unet"], CONFIG)
    assert sorted(path.name for path in paths.EXPORT.iterdir()) == ["parity.json", "unet_1.onnx"]
    parity = read_json(paths.EXPORT / "parity.json")["files"]["unet_1.onnx"]
    assert parity["largest_difference"] < 1e-4 and parity["equal_pixels"] > 0.999
    assert parity["sizes"] == [[1, 64, 64], [1, 64, 64], [2, 72, 80]]
    assert parity["onnx_ms"] > 0 and len(parity["classes"]) == 11


def test_a_file_that_answers_otherwise_is_refused_and_nothing_is_left(trained: Path) -> None:
    with pytest.raises(InputError, match=r"probabilities differ from torch's by .*export\.tolerance"):
        export.run([0, 1], ["unet"], CONFIG.model_copy(update={"tolerance": 1e-12}))
    assert not paths.EXPORT.exists()
