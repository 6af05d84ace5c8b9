"""Stores to log into: SQLite always, PostgreSQL in `make test-servers`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from worlds.postgresql import Server, postgresql

from tailtune.services.prediction_log.store import PredictionLog

_numbers = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgresql(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log' / 'predictions.sqlite'}"
    running: Server = request.getfixturevalue("server")
    name = f"log{next(_numbers)}"
    engine = create_engine(running.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return running.url.removesuffix("postgres") + name


@pytest.fixture
def log(url: str) -> Iterator[PredictionLog]:
    opened = PredictionLog(url)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The spool folder; not made yet."""
    return tmp_path / "spool"
