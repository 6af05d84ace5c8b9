"""A server per test, and a file for answers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.endpoint import Double

from tailtune.services.endpoint import AnswerCache


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """A connection or a loop that nobody closed warns, and so fails, at the end of its file."""
    yield
    gc.collect()


@pytest.fixture
def double() -> Iterator[Double]:
    with Double() as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    found = AnswerCache(tmp_path / "kept" / "answers.sqlite")
    yield found
    found.close()
