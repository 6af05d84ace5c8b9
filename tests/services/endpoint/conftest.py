"""A server per test, and a file for answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.endpoint import Double

from tailtune.services.endpoint import AnswerCache


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    held = AnswerCache(tmp_path / "kept" / "answers.sqlite")
    yield held
    held.close()
