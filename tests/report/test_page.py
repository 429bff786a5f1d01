"""The whole page from a finished tiny pipeline."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from trashseg import paths
from trashseg.errors import InputError
from trashseg.report.config import ReportConfig
from trashseg.report.page import build_page

SMALL = ReportConfig(best=2, worst=2, crf=2, disagreement=1, image_px=64)
VOID_ELEMENTS = {"meta", "link", "img", "br", "circle", "line", "path", "input"}


class Checker(HTMLParser):
    """Collects text, counts pictures, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images = 0
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID_ELEMENTS:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)


def check(page: str) -> tuple[Checker, str]:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker, re.sub(r"\s+", " ", " ".join(checker.words))


def test_page_is_whole_and_loads_nothing_from_elsewhere(finished: Path) -> None:
    checker, text = check(build_page(["r0"], ["unet"], SMALL))
    assert checker.images == 3 + 4 * (2 + 2 + 2 + 1)
    assert all(address.startswith(("data:", "#")) for address in checker.addresses)
    assert "How well does it find litter?" in text
    assert "No labelled photo shows Battery" in text
    assert "class 'Battery' has no pixels" in text
    assert "Paper & card" in text
    assert "the best out of fold <b>by far</b>" in text
    assert "It is on: +0.0200 mIoU." in text
    assert "ensemble: all together → ensemble + CRF (sharper edges) +0.020 +0.010 to +0.030 0.004" in text
    assert "large 90 % 80 % 7" in text
    assert "edges before after gain all classes" in text
    assert "just as sure as right" in text
    assert "on the test photos" in text


def test_curves_join_the_epochs_that_were_validated(finished: Path) -> None:
    page = build_page(["r0"], ["unet"], SMALL)
    chart = page[page.index("mIoU on held-back photos (higher is better)</figcaption>") :]
    path = re.search(r'class="s0" d="([^"]+)"', chart)
    assert path is not None and path[1].count("L") == 2


def test_same_artefacts_give_the_same_page(finished: Path) -> None:
    assert build_page(["r0"], ["unet"], SMALL) == build_page(["r0"], ["unet"], SMALL)


def test_unknown_test_labels_are_stated(finished: Path, change: Callable) -> None:
    change(
        paths.evaluate("r0") / "test" / "metrics.json", lambda content: (content.clear(), content.update(known=False))
    )
    _, text = check(build_page(["r0"], ["unet"], SMALL))
    assert "The test photos have no known labels" in text
    assert "on the test photos" not in text


def test_ensemble_without_crf(finished: Path, change: Callable) -> None:
    change(paths.SELECT / "selected.json", lambda content: content.update(step="ensemble"))
    change(paths.refine("r0") / "refine.json", lambda content: content.update(on=False, reason="off: no gain"))
    checker, text = check(build_page(["r0"], ["unet"], SMALL))
    assert checker.images == 3 + 4 * (2 + 2 + 1)
    assert "It is off here, so the answers stay the ensemble's: no gain." in text


def test_selected_step_without_score_is_an_error(finished: Path, change: Callable) -> None:
    change(paths.SELECT / "selected.json", lambda content: content.update(round="r7"))
    with pytest.raises(InputError, match=r"refine/r7/refine.json: no such file"):
        build_page(["r0"], ["unet"], SMALL)


def test_pictures_may_all_be_left_out(finished: Path) -> None:
    checker, _ = check(build_page(["r0"], ["unet"], ReportConfig(best=0, worst=0, crf=0, disagreement=0)))
    assert checker.images == 0
