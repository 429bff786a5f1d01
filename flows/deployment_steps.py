"""Pull steps of prefect.yaml: where a worker's flow run works. Run by the worker before the flow is loaded."""

import os
import subprocess
import sys
from pathlib import Path

OWN_CHECKOUT = Path(__file__).resolve().parents[1]


def own_checkout() -> dict[str, str]:
    """Work in the checkout that this worker's environment was installed from; the deployer's folder plays no part."""
    os.chdir(OWN_CHECKOUT)
    return {"directory": str(OWN_CHECKOUT)}


def prepare_clone(directory: str, remote: bool = True) -> dict[str, str]:
    """Make a fresh clone ready: its environment from the lock file, and the artefacts a remote has.

    `directory` is what the clone step before it gave. With `remote` the run
    cache and the artefacts of the clone's dvc.lock are fetched first, so that
    nothing another machine has computed is computed again; where the clone
    names no default remote there is nothing to fetch from.
    """
    folder = Path(directory).absolute()
    os.chdir(folder)
    subprocess.run(["make", "install"], cwd=folder, check=True)
    dvc = [str(folder / ".venv" / "bin" / "python"), "-m", "dvc"]
    if remote and subprocess.run([*dvc, "remote", "default"], cwd=folder, capture_output=True).returncode == 0:
        subprocess.run([*dvc, "pull", "--run-cache", "--allow-missing"], cwd=folder, check=True)
    return {"directory": str(folder)}


def main() -> None:
    """The clone step for workers by hand: `python -m flows.deployment_steps FOLDER`."""
    prepare_clone(sys.argv[1])


if __name__ == "__main__":
    main()
