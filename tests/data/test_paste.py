"""Patches and pasting: geometry, limits, exact labels; the six ways of varying a patch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trashseg.classes import VOID
from trashseg.data.copy_paste import Variation, jittered, place, vary
from trashseg.data.oversample import elastic, mirrored
from trashseg.data.paste import Limits, paste
from trashseg.data.patch import Patch, cut, flipped, scaled, turned, without_small
from trashseg.data.scenes import Scene

PLAIN = Variation(large_px=10_000, small_px=0, flip=0, turn=False, jitter="none", placement="own")
ANY = Limits(1.0, 1)


def scene(side: int = 40, value: int = 50) -> Scene:
    """Class 1 at rows 5..14, columns 5..24; class 2 at rows 20..23, columns 30..33; an ignored corner."""
    instances_HW = np.zeros((side, side), np.uint8)
    instances_HW[5:15, 5:25] = 1
    instances_HW[20:24, 30:34] = 2
    classes_I = np.array([0, 1, 2], np.uint8)
    mask_HW = classes_I[instances_HW]
    mask_HW[-3:, -3:] = VOID
    image_HWC = np.full((side, side, 3), value, np.uint8)
    image_HWC[instances_HW == 1] = 200
    image_HWC[instances_HW == 2] = 250
    return Scene(image_HWC, mask_HW, instances_HW, classes_I)


def empty(side: int = 40) -> Scene:
    zeros_HW = np.zeros((side, side), np.uint8)
    return Scene(np.zeros((side, side, 3), np.uint8), zeros_HW, zeros_HW.copy(), np.zeros(1, np.uint8))


def patch_of(classes: set[int] | None = None) -> Patch:
    patch = cut(scene(), classes)
    assert patch is not None
    return patch


def test_cut_keeps_the_classes_asked_for_and_no_more() -> None:
    assert patch_of().classes() == {1, 2}
    only = patch_of({2})
    assert only.classes() == {2} and only.area_px == 16
    assert cut(scene(), {7}) is None
    one = cut(scene(), instance=1)
    assert one is not None and one.area_px == 200


def test_own_place_is_where_it_was() -> None:
    patch = patch_of()
    corner = place(patch, PLAIN, (40, 40), np.random.default_rng(0))
    pasted = paste(empty(), patch, corner, ANY, soft_edge_px=0)
    assert pasted is not None
    np.testing.assert_array_equal(pasted.scene.mask_HW, np.where(scene().mask_HW == VOID, 0, scene().mask_HW))
    np.testing.assert_array_equal(pasted.scene.image_HWC[scene().instances_HW == 2], 250)
    assert pasted.patch.classes() == {1, 2}


@settings(max_examples=60, deadline=None)
@given(st.integers(-30, 60), st.integers(-30, 60), st.floats(0, 1), st.integers(1, 60), st.sampled_from([0, 1.5]))
def test_limits_hold_wherever_a_patch_lands(y: int, x: int, max_cover: float, min_px: int, soft: float) -> None:
    target = scene()
    pasted = paste(target, without_small(patch_of({1}), min_px), (y, x), Limits(max_cover, min_px), soft)
    if pasted is None:
        return
    result = pasted.scene
    for instance in (1, 2):
        before, after = target.areas_I[instance], result.areas_I[instance]
        assert before - after <= max_cover * before
        assert after == before or after >= min_px
    assert result.areas_I[3] >= min_px
    labelled_HW = result.mask_HW != VOID
    np.testing.assert_array_equal(result.classes_I[result.instances_HW][labelled_HW], result.mask_HW[labelled_HW])


def test_nothing_given_is_changed() -> None:
    target, patch = scene(), patch_of()
    before = target.image_HWC.copy(), target.mask_HW.copy(), target.instances_HW.copy()
    paste(target, patch, (1, 1), ANY, soft_edge_px=2)
    for old, new in zip(before, (target.image_HWC, target.mask_HW, target.instances_HW), strict=True):
        np.testing.assert_array_equal(old, new)


def test_soft_edges_blend_colours_not_labels() -> None:
    hard = paste(empty(), patch_of({1}), (0, 0), ANY, soft_edge_px=0)
    soft = paste(empty(), patch_of({1}), (0, 0), ANY, soft_edge_px=4)
    assert hard is not None and soft is not None
    np.testing.assert_array_equal(hard.scene.mask_HW, soft.scene.mask_HW)
    assert set(np.unique(hard.scene.image_HWC)) == {0, 200}
    assert len(np.unique(soft.scene.image_HWC)) > 5
    inner = hard.scene.mask_HW.copy()
    assert soft.scene.image_HWC[inner > 0].min() > 40


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_turning_a_patch_turns_its_place(quarters: int) -> None:
    patch = turned(patch_of(), quarters)
    corner = place(patch, PLAIN, (40, 40), np.random.default_rng(0))
    pasted = paste(empty(), patch, corner, ANY, 0)
    assert pasted is not None
    np.testing.assert_array_equal(pasted.scene.instances_HW, np.rot90(scene().instances_HW, -quarters))


@pytest.mark.parametrize("axis", [0, 1])
def test_flipping_a_patch_flips_its_place(axis: int) -> None:
    patch = flipped(patch_of(), axis)
    pasted = paste(empty(), patch, place(patch, PLAIN, (40, 40), np.random.default_rng(0)), ANY, 0)
    assert pasted is not None
    np.testing.assert_array_equal(pasted.scene.instances_HW, np.flip(scene().instances_HW, axis))


def test_large_patches_are_halved_towards_the_middle() -> None:
    patch = patch_of()
    small = vary(patch, replace(PLAIN, large_px=100), (40, 40), np.random.default_rng(0))
    assert small.area_px == pytest.approx(patch.area_px / 4, rel=0.2)
    assert small.centre == pytest.approx([0.25 + at / 2 for at in patch.centre])


def test_small_patches_are_doubled_in_the_middle_and_cut_to_the_image() -> None:
    patch = patch_of({2})
    large = vary(patch, replace(PLAIN, small_px=100), (40, 40), np.random.default_rng(0))
    assert large.area_px == pytest.approx(4 * patch.area_px, rel=0.2)
    assert large.centre == (0.5, 0.5)
    assert (
        max(vary(patch_of(), replace(PLAIN, small_px=999), (40, 40), np.random.default_rng(0)).instances_HW.shape) <= 40
    )


def test_jitter_stays_in_its_range_and_the_image() -> None:
    rng = np.random.default_rng(0)
    jitter = replace(PLAIN, jitter="patch", jitter_range=(0.5, 3.0))
    sides = [vary(patch_of({1}), jitter, (40, 40), rng).instances_HW.shape for _ in range(50)]
    assert min(side[1] for side in sides) >= 15 and max(side[1] for side in sides) <= 40
    assert len(set(sides)) > 10


def test_jittered_scene_ignores_what_it_uncovers() -> None:
    for seed in range(20):
        out = jittered(scene(), replace(PLAIN, jitter="both", jitter_range=(0.4, 2.0)), np.random.default_rng(seed))
        agree = out.mask_HW != VOID
        np.testing.assert_array_equal(out.classes_I[out.instances_HW][agree], out.mask_HW[agree])
        assert (out.instances_HW[~agree] == 0).all()


def test_scaling_down_far_keeps_something() -> None:
    assert min(scaled(patch_of({2}), 0.05, (40, 40)).instances_HW.shape) >= 1


@pytest.mark.parametrize("change", [mirrored, lambda s: elastic(s, 3.0, np.random.default_rng(0))])
def test_bending_keeps_labels_and_objects_together(change: object) -> None:
    out = change(scene())  # type: ignore[operator]
    agree = out.mask_HW != VOID
    np.testing.assert_array_equal(out.classes_I[out.instances_HW][agree], out.mask_HW[agree])
    assert not np.array_equal(out.mask_HW, scene().mask_HW)
