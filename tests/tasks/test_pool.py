from pathlib import Path

import pytest

from tasks import pool
from trashseg import paths
from trashseg.io import read_json, write_json

ROUNDS = [{"id": "r0", "teacher": "none"}, {"id": "r1", "teacher": "r0"}, {"id": "r2", "teacher": "r1"}]
PHOTO = {"id": 200, "file_name": "unlabelled/a.jpg"}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(paths.DATASET / "unlabelled.json", {"images": [PHOTO], "annotations": [], "categories": []})


def asked() -> dict[str, bytes]:
    return {file.stem: file.read_bytes() for file in sorted(paths.POOL.iterdir())}


def test_rounds_that_teach_answer_the_pool(photos: None) -> None:
    pool.run(ROUNDS, ["test", "pool"])
    listed = {name: read_json(paths.POOL / f"{name}.json")["images"] for name in asked()}
    assert listed == {"r0": [PHOTO], "r1": [PHOTO], "r2": []}


def test_a_longer_list_of_rounds_changes_what_the_new_teacher_is_asked_alone(photos: None) -> None:
    pool.run(ROUNDS[:2], ["pool"])
    before = asked()
    pool.run(ROUNDS, ["pool"])
    after = asked()
    assert before["r0"] == after["r0"] and before["r1"] != after["r1"]


def test_nobody_answers_a_pool_that_is_not_learned_from_or_not_there(photos: None) -> None:
    pool.run(ROUNDS, ["test"])
    unused = asked()
    write_json(paths.DATASET / "unlabelled.json", {"images": [], "annotations": [], "categories": []})
    pool.run(ROUNDS[:2], ["test", "pool"])
    assert set(unused.values()) == set(asked().values())
