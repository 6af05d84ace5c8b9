"""What a saved predictor needs is found in the running process, which is left as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tasks.classification.test_rungs_majority import context

import tailtune
from tailtune.core import errors
from tailtune.core.errors import ServiceError
from tailtune.lifecycle.bundle import needs
from tailtune.tasks.classification.rungs import Majority
from tailtune.tasks.saved import RUNG_KINDS, write_card

HEAVY_OR_FOREIGN = ("tailtune.training", "tailtune.lifecycle", "tailtune.cli", "tailtune.report")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "majority"
    folder.mkdir()
    Majority.fit(context()).save(folder)
    write_card(folder, RUNG_KINDS["majority"], ())
    return folder


def test_only_what_answers_is_needed(saved: Path) -> None:
    needed = needs(saved, "hello", print)
    assert "tailtune.tasks.classification.rungs" in needed.modules
    assert not [name for name in needed.modules if name.startswith(HEAVY_OR_FOREIGN)]


def test_the_running_process_keeps_its_modules(saved: Path) -> None:
    before = {name: module for name, module in sys.modules.items() if name.startswith("tailtune")}
    needs(saved, "hello", print)
    assert {name: module for name, module in sys.modules.items() if name.startswith("tailtune")} == before
    assert tailtune.core.errors is errors


def test_another_copy_on_the_path_is_not_taken(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "code" / "tailtune"
    copy.mkdir(parents=True)
    (copy / "__init__.py").write_text("raise AssertionError('the copy was imported')\n")
    monkeypatch.syspath_prepend(copy.parent)
    assert needs(saved, "hello", print).columns


def test_a_folder_that_does_not_answer_is_refused(saved: Path) -> None:
    for file in saved.iterdir():
        file.unlink()
    with pytest.raises(ServiceError, match="does not answer"):
        needs(saved, "hello", print)
