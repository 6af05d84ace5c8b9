"""Labels that could be written and not pinned are pinned by the same command, later."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.checkout import Cli, write
from cli.test_labels import curated
from tailtune.core.errors import BusyError
from tailtune.services import versions

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


@pytest.mark.parametrize(
    ("verb", "kept", "text"),
    [
        ("labels", "corrections.jsonl", "a text about billing, number 0"),
        ("feedback", "feedback.jsonl", "who may reset my password"),
    ],
)
def test_what_a_run_kept_from_being_pinned_is_pinned_by_the_same_command(
    verb: str, kept: str, text: str, cli: Cli, tmp_path: Path
) -> None:
    curated(cli)
    versions.pin_data(cli.paths)
    file = write(tmp_path / "labels.csv", [{"text": text, "label": "login", "who": "Ana"}])

    def refuse(*_: object) -> str:
        raise BusyError("in use by a run", "wait for it, then run the same command again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "pin_data", refuse)
        ended = cli(verb, "first", "--from", file)
    assert ended.code == 1 and "in use by a run" in ended.err
    assert not versions.data_is_pinned(cli.paths, "first")
    ended = cli(verb, "first", "--from", file)
    assert ended.code == 0 and f"data/first/{kept}" in ended.out and "pinned by data.dvc" in ended.out
    assert versions.data_is_pinned(cli.paths, "first")
    assert "pinned" not in cli(verb, "first", "--from", file).out
