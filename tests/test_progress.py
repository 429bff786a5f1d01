"""Progress lines in a log: what is done, how fast, how long still."""

import pytest

from trashseg import progress


def test_a_log_gets_lines_and_every_item_passes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.0)
    assert list(progress.track([1, 2], "masks", 2)) == [1, 2]
    assert "masks: 2/2" in capsys.readouterr().err


def test_quick_work_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.track(range(3), "masks", 3))
    assert capsys.readouterr().err == ""
