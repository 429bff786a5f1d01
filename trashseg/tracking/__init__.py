"""What each run scored, kept in MLflow: the only folder that imports mlflow.

Tracking watches and never decides. No artefact depends on it, so it is no
`dep` of any stage: editing it retrains nothing. A store that is away, full or
locked costs a warning, never a training; whatever it missed lies in the model
folder and is replayed later. mlflow is imported at the first call, not here
(2.6 s of CPU), and `TRASHSEG_TRACKING=off` spares even that.

The store is `mlflow.db` in the working folder, or `MLFLOW_TRACKING_URI`. One
parent run per pipeline run holds one child per training and one per evaluated
step (each member, each network's folds, ensemble, CRF) and round.
"""

from trashseg.tracking.evaluation import log_evaluation
from trashseg.tracking.live import TrainingRun
from trashseg.tracking.own_training import own_training_run
from trashseg.tracking.pipeline import PARENT_VARIABLE, pipeline_run
from trashseg.tracking.registry import Registration, register_champion
from trashseg.tracking.results import log_results
from trashseg.tracking.store import tracking_uri
from trashseg.tracking.training import replay_training, training_run
from trashseg.tracking.view import comparison_page

__all__ = [
    "PARENT_VARIABLE",
    "Registration",
    "TrainingRun",
    "comparison_page",
    "log_evaluation",
    "log_results",
    "own_training_run",
    "pipeline_run",
    "register_champion",
    "replay_training",
    "tracking_uri",
    "training_run",
]
