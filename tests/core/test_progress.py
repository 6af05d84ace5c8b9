"""The silent one takes everything and says nothing."""

import pytest

from tailtune.core.progress import Progress, Silent


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    progress: Progress = Silent()
    progress.say("done")
    progress.at(1, 2, "half")
    assert capsys.readouterr() == ("", "")
