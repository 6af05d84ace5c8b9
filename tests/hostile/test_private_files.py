"""Kept answers, derived rows and stores are for their owner alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailtune.core.language import Reply
from tailtune.core.private import private_folder
from tailtune.lifecycle.local_server import LocalServer
from tailtune.services.endpoint.cache import AnswerCache
from tailtune.services.mlflow.address import reach
from tailtune.services.mlflow.home import locked


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_kept_answers_are_the_owners(tmp_path: Path) -> None:
    file = tmp_path / ".answers" / "answers.sqlite"
    cache = AnswerCache(file)
    cache.put("key", Reply("a customer's words", "stop", 1, 1))
    assert mode(file.parent) == 0o700
    assert {mode(path) for path in file.parent.iterdir()} == {0o600}
    cache.close()


def test_an_old_file_of_answers_is_closed_to_others_and_its_folder_left(tmp_path: Path) -> None:
    file = tmp_path / "answers.sqlite"
    file.touch(0o664)
    before = mode(tmp_path)
    AnswerCache(file).rows()
    assert (mode(file), mode(tmp_path)) == (0o660, before)


def test_stores_are_the_owners(tmp_path: Path) -> None:
    reach(f"sqlite:///{tmp_path / 'mlflow' / 'store' / 'mlflow.db'}")
    with locked(tmp_path / "other"):
        pass
    with LocalServer(tmp_path / ".run"):
        pass
    private_folder(tmp_path / "build" / "deep")
    made = (tmp_path / "mlflow" / "store", tmp_path / "other", tmp_path / ".run", tmp_path / "build" / "deep")
    assert [mode(folder) for folder in made] == [0o700] * 4
