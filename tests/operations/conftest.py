"""A use case that is watched, a pretended Slack, and an outbox whose clock tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from doubles.slack import Slack
from project import ROOT
from serving.batch.probe import saved_probe
from worlds.alarming import Clock
from worlds.watched import WatchedCase

from tailtune.config.model import ModelSpec
from tailtune.config.monitoring import AlertsSpec, MonitorSpec
from tailtune.config.paths import CasePaths, Paths
from tailtune.services.outbox.store import Outbox
from tailtune.tasks.use_case import load_use_case


@dataclass(frozen=True)
class Watched:
    """A use case as alerts need it."""

    name: str
    spec: ModelSpec
    paths: CasePaths


@cache
def _shipped() -> ModelSpec:
    return load_use_case(Paths(ROOT), "support-tickets").spec


def watched(**alerts: Any) -> Watched:
    monitor = MonitorSpec(alerts=AlertsSpec(**alerts))
    return Watched("inbox", _shipped().model_copy(update={"monitor": monitor}), Paths(ROOT).case("inbox"))


@pytest.fixture
def case() -> Watched:
    return watched()


@pytest.fixture(scope="module")
def probe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `world` serves. Read only."""
    return saved_probe(tmp_path_factory, tiny_encoder)


@pytest.fixture
def world(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, probe: Path) -> WatchedCase:
    """A use case with a champion that nobody has asked yet."""
    return WatchedCase(tmp_path / "project", tmp_path_factory, probe)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as running:
        yield running


@pytest.fixture
def open_outbox(database: str, clock: Clock) -> Iterator[Callable[[], Outbox]]:
    """Opens the outbox, as each process does."""
    opened: list[Outbox] = []

    def open_one() -> Outbox:
        opened.append(Outbox(database, clock, lambda: 1.0))
        return opened[-1]

    yield open_one
    for outbox in opened:
        outbox.close()
