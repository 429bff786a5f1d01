"""Plans, rare classes, ids, the cache, and the settings' own checks."""

from pathlib import Path

import numpy as np
import pytest

from trashseg.classes import CONTEST
from trashseg.config import parse
from trashseg.data.byte_cache import ByteCache
from trashseg.data.copy_paste import CopyPastePlan, copy_paste_pool
from trashseg.data.oversample import OversamplePlan, oversample_sources, oversample_targets
from trashseg.data.rare_classes import class_indices, rare_classes
from trashseg.data.scenes import SceneFile
from trashseg.data.synthesis_config import CopyPasteConfig, OversampleConfig, SplitConfig
from trashseg.data.synthetic_set import first_id, whole_folder
from trashseg.errors import InputError


def file(image_id: int, *classes: int, area: float = 100) -> SceneFile:
    rows = tuple({"category_id": index, "area": area} for index in classes)
    return SceneFile(image_id, Path(f"{image_id}.jpg"), None, 10, 10, rows)


def test_quotas_come_first_and_each_names_its_class() -> None:
    files = [file(1, 1), file(2, 1, 9), file(3, 2), file(4, 9)]
    plan = CopyPastePlan(files, {9: 3, 2: 2})
    chosen = [plan(i, np.random.default_rng(i)) for i in range(10)]
    wanted = [choice[2] for choice in chosen if choice is not None]
    assert wanted == [2, 2, 9, 9, 9, None, None, None, None, None]
    for choice in chosen:
        assert choice is not None
        target, source, want = choice
        assert target.image_id != source.image_id
        assert want is None or want in {a["category_id"] for a in source.annotations}


def test_a_single_image_has_nothing_to_be_pasted_onto() -> None:
    assert CopyPastePlan([file(1, 1)], {})(0, np.random.default_rng(0)) is None
    assert CopyPastePlan([], {})(0, np.random.default_rng(0)) is None


def test_pool_holds_patch_classes_and_no_excluded_one() -> None:
    files = [file(1, 1), file(2, 1, 3), file(3, 2), file(4)]
    assert [f.image_id for f in copy_paste_pool(files, frozenset({1, 2}), frozenset({3}))] == [1, 3]


def test_oversampling_takes_large_rare_objects_onto_simple_images() -> None:
    files = [file(1, 9, area=6000), file(2, 9, area=10), file(3, 4), file(4, 4, 4), file(5, 2)]
    sources = oversample_sources(files, frozenset({9, 10}), 5000)
    assert {index: [f.image_id for f in found] for index, found in sources.items()} == {9: [1]}
    targets = oversample_targets(files, frozenset({4}), 1)
    assert [f.image_id for f in targets] == [3]
    choice = OversamplePlan(sources, targets)(0, np.random.default_rng(0))
    assert choice is not None and (choice[0].image_id, choice[1].image_id, choice[2]) == (3, 1, 9)
    assert OversamplePlan({}, targets)(0, np.random.default_rng(0)) is None


def test_rare_is_relative_to_the_median_class() -> None:
    files = [file(1, *[1] * 50), file(2, *[2] * 20), file(3, *[3] * 4)]
    assert rare_classes(files, 0.5) == {3}
    assert rare_classes(files, 1.0) == {2, 3}
    assert rare_classes([file(1, 1), file(2, 2)], 0.5) == {1, 2}
    assert rare_classes([], 0.5) == frozenset()


def test_class_names_become_indices() -> None:
    assert class_indices(["Battery", "Glass"], CONTEST, "x") == {9, 5}
    with pytest.raises(InputError, match=r"x: class 'Background' is unknown"):
        class_indices(["Background"], CONTEST, "x")


def test_ids_of_kinds_never_meet_labelled_ones() -> None:
    assert (first_id("oversample", [3, 412]), first_id("copy_paste", [3, 412])) == (1_000_000, 2_000_000)
    assert first_id("oversample", [5_000_123]) == 6_000_000
    assert first_id("copy_paste", []) == 2_000_000


def test_cache_forgets_the_longest_unused() -> None:
    cache: ByteCache[str] = ByteCache(10)
    made: list[str] = []

    def get(key: str, size: int) -> None:
        cache.get(key, lambda: made.append(key) or key, lambda _: size)  # type: ignore[func-returns-value]

    for key, size in (("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("b", 4), ("huge", 11), ("huge", 11)):
        get(key, size)
    assert made == ["a", "b", "c", "b", "huge", "huge"]
    assert cache.used_bytes <= 10
    cache.clear()
    assert cache.used_bytes == 0


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with whole_folder(out) as folder:
        (folder / "old").touch()
    with pytest.raises(RuntimeError), whole_folder(out) as folder:
        (folder / "new").touch()
        raise RuntimeError
    assert [path.name for path in out.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"jitter_range": [2, 1]}, "jitter_range must rise"),
        ({"small_px": 30_000}, "small_px must not exceed large_px"),
        ({"count": 3, "quotas": {"Battery": 4}}, "quotas must be at least 0 and sum to at most count"),
        ({"max_covr": 0.5}, r"unknown key 'copy_paste.max_covr' \(did you mean 'max_cover'\?\)"),
        ({"flip": 2}, "flip"),
    ],
)
def test_copy_paste_settings_are_checked(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(CopyPasteConfig, values, "copy_paste")


def test_given_split_needs_its_file() -> None:
    with pytest.raises(InputError, match="needs a `file`"):
        parse(SplitConfig, {"method": "given"}, "split")
    assert parse(SplitConfig, {"method": "given", "file": "splits/a.json"}, "split").file == "splits/a.json"
    assert parse(OversampleConfig, {}, "oversample").count == 500
