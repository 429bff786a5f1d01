"""Near-duplicates by hash and thumbnail, and the groups they join."""

import cv2
import numpy as np

from trashseg.data.duplicates import joined_groups, near_duplicates
from trashseg.data.image_files import edge_strength, perceptual_hash


def looks(images):
    small = [cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in images]
    edges = [edge_strength(image).tobytes() for image in images]
    return [perceptual_hash(image) for image in small], [image.tobytes() for image in small], edges


def picture(seed):
    noise = np.random.default_rng(seed).random((12, 12), np.float32)
    return (255 * np.clip(cv2.resize(noise, (128, 128), interpolation=cv2.INTER_CUBIC), 0, 1)).astype(np.uint8)


def test_brightness_scale_and_compression_keep_the_hash():
    image = picture(0)
    brighter = np.clip(image * 0.8 + 30, 0, 255).astype(np.uint8)
    smaller = cv2.resize(image, (90, 90), interpolation=cv2.INTER_AREA)
    coded = cv2.imdecode(cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 40))[1], cv2.IMREAD_GRAYSCALE)
    others = [picture(seed) for seed in range(1, 30)]
    pairs = near_duplicates(*looks([image, *others, brighter, smaller, coded]), max_bits=24)
    assert {(i, j) for i, j, _ in pairs} == {(0, 30), (0, 31), (0, 32), (30, 31), (30, 32), (31, 32)}


def test_off_and_alone():
    fields = looks([picture(0), picture(0)])
    assert near_duplicates(*fields, -1) == []
    assert near_duplicates(*[field[:1] for field in fields], 24) == []
    assert near_duplicates(*fields, 0) == [(0, 1, 0)]


def test_a_moved_camera_is_found():
    wide = cv2.resize(picture(0), (160, 160))
    first, moved = wide[8:136, 8:136], wide[12:140, 0:128]
    pairs = near_duplicates(*looks([first, *[picture(seed) for seed in range(1, 60)], moved]), max_bits=24)
    assert [(i, j) for i, j, _ in pairs] == [(0, 60)]


def test_blank_pictures_match_blanks_alone():
    blanks = [np.full((64, 64), tone, np.uint8) for tone in (0, 255)]
    pairs = near_duplicates(*looks([*blanks, picture(1)]), max_bits=24)
    assert [(i, j) for i, j, _ in pairs] == [(0, 1)]


def test_blocks_give_the_pairs_of_one_block(monkeypatch):
    data = looks([picture(seed % 7) for seed in range(20)])
    whole = near_duplicates(*data, max_bits=10)
    monkeypatch.setattr("trashseg.data.duplicates.BLOCK", 3)
    assert near_duplicates(*data, max_bits=10) == whole
    assert len(whole) == 6 * 3 + 1


def test_groups_join_keys_and_pairs():
    keys = {1: "a", 2: "a", 3: "b", 4: None, 5: None, 6: None}
    groups = joined_groups(keys, [(3, 4), (4, 2)])
    assert groups == {1: "1", 2: "1", 3: "1", 4: "1", 5: "5", 6: "6"}
