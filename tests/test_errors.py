"""A command ends on a user's error with one sentence and exit code 2; on our own with a traceback."""

import pytest

from trashseg.errors import InputError, nearest, run_command


def test_an_input_error_ends_in_its_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise InputError("a.json: no such file")

    with pytest.raises(SystemExit) as ended:
        run_command(command)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: a.json: no such file\n"


def test_any_other_error_is_ours_and_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)


def test_the_nearest_name_is_offered_where_there_is_one() -> None:
    assert nearest("unett", ["unet", "fpn"]) == " (did you mean 'unet'?)"
    assert nearest("zzz", ["unet"]) == ""
