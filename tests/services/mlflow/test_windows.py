"""What looks cost together stands in their run once, however often writing them breaks off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from tailtune.core.errors import ServiceError
from tailtune.core.run_plan import Point, RunPlan
from tailtune.services.mlflow import Tracker, windows

from .conftest import THIRD_PARTY

pytestmark = THIRD_PARTY
KEY = "monitor v3 2026-11-01 so far"


def publish(tracker: Tracker, look: str, since: str, usd: float) -> str:
    plan = RunPlan(name="monitor", metrics=(Point("cost_usd", usd), Point("rows", 10.0)), texts={"monitor.html": "<p>"})
    return windows.publish(tracker, "3", KEY, plan, [], 0.0, look=look, since=since)


def cost(tracker: Tracker, run_id: str) -> float:
    (run,) = tracker.client.search_runs([tracker.experiment_id], "metrics.rows > 0")
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    return float(run.data.metrics["cost_usd"])


def no_artifact(client: Any, patched: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise MlflowException("the store of artifacts is away")

    patched.setattr(client, "log_text", away)


def no_facts(client: Any, patched: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise MlflowException("the database is away")

    patched.setattr(client, "log_batch", away)


def metrics_without_tags(client: Any, patched: pytest.MonkeyPatch) -> None:
    whole = client.log_batch

    def away(run_id: str, metrics: Any, *_: object) -> None:
        whole(run_id, metrics)
        raise MlflowException("the database is away")

    patched.setattr(client, "log_batch", away)


def no_end(client: Any, patched: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise MlflowException("the database is away")

    patched.setattr(client, "set_terminated", away)


@pytest.mark.parametrize("breaks", [no_artifact, no_facts, metrics_without_tags, no_end])
@pytest.mark.parametrize("looks_before", [0, 2])
def test_a_look_that_was_taken_in_part_counts_once(
    breaks: Callable[[Any, pytest.MonkeyPatch], None],
    looks_before: int,
    tracker: Tracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(looks_before):
        publish(tracker, f"before {number}", "", 1.0)
    with monkeypatch.context() as patched:
        breaks(tracker.client, patched)
        for number in range(1, 4):  # each holds the cost of those before it that MLflow did not take
            with pytest.raises(ServiceError):
                publish(tracker, f"look {number}", "look 1", float(number))
        with pytest.raises(ServiceError):
            publish(tracker, "look 3", "look 1", 3.0)
    assert cost(tracker, publish(tracker, "look 3", "look 1", 3.0)) == looks_before + 3
    assert cost(tracker, publish(tracker, "look 4", "look 4", 1.0)) == looks_before + 4


def test_a_look_that_is_written_again_counts_once(tracker: Tracker) -> None:
    for look, usd, together in (("a", 1.0, 1.0), ("a", 1.0, 1.0), ("b", 2.0, 3.0), ("b", 2.0, 3.0)):
        assert cost(tracker, publish(tracker, look, "", usd)) == together


def test_a_look_goes_on_with_one_that_was_taken_and_waits_all_the_same(tracker: Tracker) -> None:
    publish(tracker, "look 1", "look 1", 1.0)  # and the process was ended before it could note that
    assert cost(tracker, publish(tracker, "look 2", "look 1", 2.0)) == 2.0


def test_a_day_by_a_clock_that_was_ahead_keeps_no_later_look_out(tracker: Tracker) -> None:
    today = windows.now_ms() // 86_400_000
    for number, day in enumerate([today - 2, today + 400, today - 1, today - 1]):
        plan = RunPlan(name="monitor", metrics=(Point("rows", 10.0),))
        windows.publish(tracker, "3", f"look {number}", plan, [windows.DayPoints(day, {"rows": 10.0})], 0.0)
    (axis,) = tracker.client.search_runs([tracker.experiment_id], "tags.`tailtune.monitored_version` = '3'")
    steps = [point.step for point in tracker.client.get_metric_history(axis.info.run_id, "rows")]
    assert sorted(steps) == [today - 2, today - 1, today + 400]
