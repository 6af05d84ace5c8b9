"""Stores to log into: SQLite always, PostgreSQL in `make test-servers`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailtune.services.prediction_log.store import PredictionLog


@pytest.fixture
def url(database: str) -> str:
    """The address of an empty store."""
    return database


@pytest.fixture
def log(url: str) -> Iterator[PredictionLog]:
    opened = PredictionLog(url)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The spool folder; not made yet."""
    return tmp_path / "spool"
