"""Whatever becomes of a look's run in MLflow, its alerts are written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY
from worlds.watched import FIRST_DAY, NAME, WatchedCase, strange_texts

from tailtune.core.days import shown
from tailtune.core.progress import Silent
from tailtune.operations.alerts import open_alerts
from tailtune.operations.nightly import Looked, LookOptions, watch
from tailtune.services.mlflow import windows

pytestmark = THIRD_PARTY


@pytest.fixture
def world(world: WatchedCase) -> WatchedCase:
    world.log(FIRST_DAY, strange_texts(90))
    return world


def look(world: WatchedCase) -> Looked:
    return watch(world.case.paths.project, world.settings, NAME, LookOptions(window=shown(FIRST_DAY)), Silent())


def alerts(world: WatchedCase) -> list[tuple[str, int]]:
    """Cause and looks of every alert."""
    with open_alerts(world.case.paths.project, world.settings) as opened:
        return [(each.alert.cause, each.looks) for each in opened.outbox.troubles()]


def test_an_alert_is_written_down_beside_a_look_of_before_that_cannot_be_read(world: WatchedCase) -> None:
    file: Path = world.case.paths.build / "monitor" / "v1-2024-10-01.waiting.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"use_case": NAME, "of_before": 1}))
    first = look(world)
    assert first.run_id is not None and alerts(world) == [("drift", 1)]
    (aside,) = file.parent.glob("*.unreadable-*")
    second = look(world)
    assert second.run_id is not None and alerts(world) == [("drift", 2)]
    assert list(file.parent.glob("*.unreadable-*")) == [aside] and not file.exists()


def test_an_alert_is_written_down_where_publishing_fails_for_any_reason(
    world: WatchedCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("a fault of the product")

    monkeypatch.setattr(windows, "publish", broken)
    with pytest.raises(RuntimeError, match="a fault of the product"):
        look(world)
    assert alerts(world) == [("drift", 1)]
