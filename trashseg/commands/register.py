"""`trashseg register`: the exported networks as a version in the model registry."""


def register(*, force: bool = False, name: str = "trashseg") -> None:
    """Register the exported networks; they become `champion` where they beat the present one on the same folds.

    Example: `trashseg register`, then `mlflow models serve -m models:/trashseg@champion --env-manager local`

    Run it in the folder of dvc.yaml after the pipeline. The score that counts is mIoU out of fold: the ensemble's
    where all networks were exported, else that of the exported network's folds. Where the champion was scored on other
    folds (new photos came in), the final answers to the photos both had are compared.

    Parameters
    ----------
    force
        Make it the champion whatever the scores.
    name
        Name of the registered model.
    """
    from trashseg.tracking.exported import register_exported

    done = register_exported(force, name)
    place = "champion" if done.champion else "not champion"
    print(f"{name} version {done.version}: {place}, {done.reason}")
