"""The supervisor's part that moves the log: it counts what this server answered, and never empties the log."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from services.prediction_log.rows import row

from tailtune.services.prediction_log import Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.serving import supervisor
from tailtune.serving.counters import Counters
from tailtune.serving.plan import ServerPlan
from tailtune.serving.supervisor import _Mover

FUTURE_US = 2**60


@pytest.fixture
def plan(tmp_path: Path) -> ServerPlan:
    return ServerPlan(use_case="inbox", task="classification", state=tmp_path, spool=tmp_path / "spool")


def ended() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def logged(plan: ServerPlan, *rows: Any) -> None:
    spool = Spool(plan.spool)
    assert spool.append(rows)
    spool.close()


def test_rows_of_before_and_of_the_shadow_are_stored_and_not_counted(plan: ServerPlan) -> None:
    url, counters = f"sqlite:///{plan.state / 'log.sqlite'}", Counters(plan.metrics)
    mover = _Mover(plan, url, counters)
    logged(plan, row(1), row(2, at_us=FUTURE_US), row(2, at_us=FUTURE_US, route="shadow", version="4"))
    for _ in range(2):
        mover.move(ended())
    assert counters.sums("stored_rows") == [1]
    log = PredictionLog(url)
    assert len(list(log.rows("inbox"))) == 3, "also after an end: old rows are not deleted then"
    assert log.bytes_of("inbox") == log.size_bytes() > log.bytes_of("other") == 0
    log.close()


def test_a_log_that_is_away_leaves_the_rows_in_the_spool(plan: ServerPlan, caplog: pytest.LogCaptureFixture) -> None:
    (plan.state / "log.sqlite").write_text("no database " * 100)
    mover = _Mover(plan, f"sqlite:///{plan.state / 'log.sqlite'}", Counters(plan.metrics))
    logged(plan, row(1))
    for _ in range(3):
        mover.move(ended())
    assert caplog.text.count("answers wait in the spool") == 1
    (plan.state / "log.sqlite").unlink()
    caplog.clear()
    mover.move(ended())
    assert not list(plan.spool.glob("*.jsonl"))


def test_an_error_that_nobody_thought_of_is_tried_again(plan: ServerPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    event, tries = threading.Event(), list[int]()

    def failing(*_: Any, **__: Any) -> None:
        tries.append(1)
        if len(tries) == 3:
            event.set()
        raise OverflowError

    monkeypatch.setattr(supervisor, "keep_moving", failing)
    monkeypatch.setattr(supervisor, "_AGAIN_S", 0.001)
    _Mover(plan, "sqlite://", Counters(plan.metrics)).move(event)
    assert len(tries) == 3
