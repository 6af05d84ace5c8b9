"""What the command line does first, for every test: no telemetry, no hub, threads that wait sleep."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from worlds.postgresql import Server, postgresql

from tailtune.config.settings import quiet_environment

quiet_environment()
os.environ["TAILTUNE_EMBEDDED"] = "none"  # no test asks the embedded language model by accident; some ask it by name
settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck))
settings.load_profile("unhurried")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs like this, and every process that a test starts would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two workers end at the same time only if the files that take longest begin first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What is imported by now stays: no later collection of garbage need look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL server, for tests marked `servers`."""
    with postgresql(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database: SQLite always, PostgreSQL in `make test-servers`."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log' / 'predictions.sqlite'}"
    running: Server = request.getfixturevalue("postgresql_server")
    return running.new_database()


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and the real tokenizer: everything the engine needs, in milliseconds."""
    from predictors.tiny import write_tiny_encoder

    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))
