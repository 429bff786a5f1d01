"""Where each stage's artefacts lie, relative to the folder of dvc.yaml.

dvc.yaml names the same places as `outs`; stages find their inputs here and
list members from params, never by globbing, so stray files change nothing.
"""

from pathlib import Path

ARTIFACTS = Path("artifacts")

DATASET = ARTIFACTS / "dataset"
"""`train_all.json`, `test.json`, `classes.json` and `images/`."""

TEST_LABELS = ARTIFACTS / "test_labels.json"
"""True labels of the test images where they are known. Only `evaluate` may read this."""

MASKS = ARTIFACTS / "masks"
"""`{image_id}.png` for each labelled image, and `report.json`."""

FOLDS = ARTIFACTS / "folds"
"""`folds.json`, `kfold_{i}_train.json`, `kfold_{i}_val.json`, `balance.json`."""

POOL = ARTIFACTS / "pool"
"""`{round}.json`: the photos of the pool that a round answers."""

SELECT = ARTIFACTS / "select"
SUBMISSION = ARTIFACTS / "submission"
REPORT = ARTIFACTS / "report"
EXPORT = ARTIFACTS / "export"


def oversample(fold: int) -> Path:
    """A synthetic set: `annotations.json`, `images/`, `masks/`, `lineage.json`."""
    return ARTIFACTS / "oversample" / str(fold)


def copy_paste(fold: int) -> Path:
    """A synthetic set, laid out as `oversample`'s."""
    return ARTIFACTS / "copy_paste" / str(fold)


def train(round_id: str, model: str, fold: int) -> Path:
    """A model folder: `weights.safetensors`, `model.json`, `history.csv`, `metrics.json`."""
    return ARTIFACTS / "train" / round_id / model / str(fold)


def predict(round_id: str, model: str) -> Path:
    """Probability stores `{fold}/val`, `{fold}/test`, and `{fold}/pool` where the round answers the pool."""
    return ARTIFACTS / "predict" / round_id / model


def ensemble(round_id: str) -> Path:
    """Probability stores `oof` and `test`, and `weights.json`."""
    return ARTIFACTS / "ensemble" / round_id


def refine(round_id: str) -> Path:
    """Index masks `oof/{image_id}.png` and `test/{image_id}.png`, and `refine.json`."""
    return ARTIFACTS / "refine" / round_id


def pseudo_label(round_id: str, fold: int) -> Path:
    """`masks/{image_id}.png`, `manifest.json`, `lineage.json`."""
    return ARTIFACTS / "pseudo_label" / round_id / str(fold)


def evaluate(round_id: str) -> Path:
    """`oof/` and `test/`: metrics.json, confusion.csv, plots. `select` reads `oof/` alone."""
    return ARTIFACTS / "evaluate" / round_id


def mask_name(image_id: int) -> str:
    """The file name of an image's mask or probabilities, by id: ids cannot escape a folder."""
    return f"{image_id}.png"
