"""Stage pool: which photos without labels each round answers beside the test set.

Those of the pool, where a later round learns from them; none otherwise. A file
for each round: a list of rounds that grows changes the file of the round that
becomes a teacher, and so rebuilds no other round's answers.
"""

import shutil
from collections.abc import Sequence

from trashseg import paths
from trashseg.config import read_section, read_value
from trashseg.errors import run_command
from trashseg.inference.config import PseudoLabelConfig
from trashseg.io import read_json, write_json

NO_LABELS = "unlabelled.json"


def run(rounds: Sequence[dict[str, str]], sources: Sequence[str]) -> None:
    """Write `artifacts/pool/{round}.json`, COCO without annotations, for every round."""
    pool = read_json(paths.DATASET / NO_LABELS)
    teachers = {entry["teacher"] for entry in rounds} if "pool" in sources else set()
    shutil.rmtree(paths.POOL, ignore_errors=True)
    for entry in rounds:
        asked = pool["images"] if entry["id"] in teachers else []
        write_json(paths.POOL / f"{entry['id']}.json", {**pool, "images": asked})
        print(f"pool: round {entry['id']} answers {len(asked)} of {len(pool['images'])} photos")


def main() -> None:
    """Command line: python -m tasks.pool."""
    run(read_value("rounds", list), read_section("pseudo_label", PseudoLabelConfig).sources)


if __name__ == "__main__":
    run_command(main)
