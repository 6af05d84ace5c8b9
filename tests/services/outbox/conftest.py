"""An outbox on SQLite always, on PostgreSQL in `make test-servers`, with a clock that tests set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from worlds.alarming import Clock

from tailtune.services.outbox.store import Outbox


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(database: str, clock: Clock) -> Iterator[Outbox]:
    opened = Outbox(database, clock, lambda: 1.0)
    yield opened
    opened.close()
