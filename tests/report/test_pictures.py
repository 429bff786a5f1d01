"""Painted photos."""

import base64

import cv2
import numpy as np

from trashseg.classes import CONTEST
from trashseg.report.pictures import WRONG, data_uri, heat, mistakes, paint, shrink

GREY_HWC = np.full((4, 6, 3), 100, np.uint8)


def test_paint_leaves_background_and_unlabelled_pixels() -> None:
    mask_HW = np.zeros((4, 6), np.uint8)
    mask_HW[:, 3:5] = 4
    mask_HW[:, 5] = 255
    painted = paint(GREY_HWC, mask_HW, CONTEST.palette())
    assert painted[0, 0].tolist() == [100, 100, 100]
    assert painted[0, 3].tolist() == [116, 40, 40]  # 40 % photo, 60 % of (128, 0, 0)
    assert painted[0, 2].tolist() == [255, 255, 255]  # the outline
    assert painted[0, 5].tolist() == [100, 100, 100]


def test_mistakes_are_red_but_never_where_there_is_no_label() -> None:
    truth = np.array([[0, 1, 255, 1, 0, 0]] * 4, np.uint8)
    prediction = np.array([[0, 1, 1, 0, 2, 0]] * 4, np.uint8)
    shown = mistakes(GREY_HWC, truth, prediction)
    assert [tuple(pixel) == WRONG for pixel in shown[0].tolist()] == [False, False, False, True, True, False]


def test_heat_is_red_where_all_disagree() -> None:
    shown = heat(GREY_HWC, np.array([[0, 1, 0, 0, 0, 0]] * 4, np.float32))
    assert tuple(shown[0, 1].tolist()) == WRONG
    assert shown[0, 0].tolist() == [160, 160, 160]


def test_shrink_keeps_proportions_and_never_enlarges() -> None:
    assert shrink(np.zeros((100, 50, 3), np.uint8), 20).shape == (20, 10, 3)
    assert shrink(np.zeros((10, 5, 3), np.uint8), 20).shape == (10, 5, 3)
    assert shrink(np.zeros((1000, 2, 3), np.uint8), 20).shape == (20, 1, 3)


def test_data_uri_is_a_jpeg_of_the_right_colours() -> None:
    red_HWC = np.zeros((32, 32, 3), np.uint8)
    red_HWC[:, :, 0] = 250
    kind, _, content = data_uri(red_HWC, 16).partition(",")
    assert kind == "data:image/jpeg;base64"
    decoded_bgr = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert decoded_bgr.shape == (16, 16, 3)
    assert decoded_bgr[8, 8, 2] > 230 and decoded_bgr[8, 8, 0] < 20
