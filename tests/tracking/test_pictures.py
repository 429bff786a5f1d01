"""Pictures for MLflow's pages."""

from xml.etree import ElementTree

import numpy as np

from trashseg.tracking.pictures import confusion_svg, grid


def test_grid_sets_images_into_squares() -> None:
    red, blue = np.full((8, 4, 3), (255, 0, 0), np.uint8), np.full((4, 4, 3), (0, 0, 255), np.uint8)
    sheet = grid([[red, blue], [blue]], side_px=4, gap_px=2)
    assert sheet.shape == (10, 10, 3)
    assert sheet[0, 0].tolist() == [255, 0, 0] and sheet[0, 2].tolist() == [255, 255, 255]
    assert sheet[0, 6].tolist() == [0, 0, 255] and sheet[6, 0].tolist() == [0, 0, 255]


def test_confusion_svg_is_xml_with_percentages_and_escaped_names() -> None:
    root = ElementTree.fromstring(confusion_svg([[3, 1], [0, 0]], ["Paper & card", "<b>"]))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "75" in texts and "25" in texts and "Paper & card" in texts and "<b>" in texts
