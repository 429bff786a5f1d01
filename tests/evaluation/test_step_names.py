"""Steps are told in the order they are made, and compared on the same images only."""

from trashseg.evaluation.step_names import pairs, position

TEST = [
    "member fpn/0 without TTA",
    "member fpn/0",
    "member unet/0 without TTA",
    "member unet/0",
    "fpn folds",
    "unet folds",
    "ensemble",
    "crf",
]


def test_steps_sort_as_they_are_made() -> None:
    shuffled = TEST[5:] + TEST[:5]
    assert sorted(shuffled, key=position) == TEST
    assert sorted(["unet folds", "fpn folds", "unet without TTA"], key=position) == [
        "fpn folds",
        "unet without TTA",
        "unet folds",
    ]


def test_on_test_images_every_step_is_compared_with_what_it_was_made_from() -> None:
    assert pairs({step: [1, 2] for step in TEST}) == [
        ("member fpn/0 without TTA", "member fpn/0"),
        ("member unet/0 without TTA", "member unet/0"),
        ("member fpn/0", "member unet/0"),
        ("member fpn/0", "fpn folds"),
        ("member unet/0", "unet folds"),
        ("fpn folds", "unet folds"),
        ("fpn folds", "ensemble"),
        ("unet folds", "ensemble"),
        ("ensemble", "crf"),
        ("member fpn/0 without TTA", "crf"),
    ]


def test_out_of_fold_members_answer_other_images_than_their_network() -> None:
    images = {"member unet/0": [1], "member unet/1": [2], "unet without TTA": [1, 2], "unet folds": [1, 2]}
    assert pairs({**images, "ensemble": [1, 2], "crf": [1, 2]}) == [
        ("unet without TTA", "unet folds"),
        ("unet folds", "ensemble"),
        ("ensemble", "crf"),
        ("unet without TTA", "crf"),
    ]
