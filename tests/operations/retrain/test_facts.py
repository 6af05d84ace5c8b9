"""What the reckoning knows: accuracy by an audit before an estimate, requests as declared before those logged."""

from __future__ import annotations

from contextlib import closing

import pytest
from services.mlflow.conftest import THIRD_PARTY
from worlds.alarming import alert
from worlds.watched import FIRST_DAY, NAME, WatchedCase

from tailtune.core.audits import Audit, AuditResult
from tailtune.core.days import DAY_US
from tailtune.core.records import Estimate
from tailtune.judge.retrain import AtStake
from tailtune.operations.monitor import look_at_log
from tailtune.operations.retrain.facts import at_stake, drift_since_us
from tailtune.operations.windows import Window
from tailtune.services.audits import Audits
from tailtune.services.mlflow import registry
from tailtune.services.outbox.store import Outbox
from tailtune.services.prediction_log.opening import opened

pytestmark = THIRD_PARTY
TODAY = FIRST_DAY + 2


@pytest.fixture
def world(world: WatchedCase) -> WatchedCase:
    for day in (FIRST_DAY, FIRST_DAY + 1):
        world.usual_day(day, rows=60)
    return world


def stake(world: WatchedCase) -> AtStake:
    version = registry.get(world.tracker, NAME, world.version)
    with opened(world.case.paths.project, world.settings, NAME) as log:
        return at_stake(world.context, version, log, TODAY)


def test_what_nobody_has_looked_at_is_not_known(world: WatchedCase) -> None:
    found = stake(world)
    assert found.then is not None and found.now is None
    assert f"tailtune monitor {NAME} --window 7d" in found.now_by


def test_looks_estimate_it_and_an_audit_knows_better(world: WatchedCase) -> None:
    look_at_log(world.context, world.version, Window(FIRST_DAY, FIRST_DAY + 1))
    found = stake(world)
    assert found.now is not None and found.now_by == "estimated without labels over 2 days"
    audit = Audit(
        id="a", use_case=NAME, version=world.version, first_day=FIRST_DAY, last_day=FIRST_DAY, window_rows=60,
        confidences=(), rows=(),
    )  # fmt: skip
    accuracy = Estimate(value=0.5, low=0.4, high=0.6, rows=50)
    store = Audits(world.settings.prediction_log_url(world.case.paths.project))
    store.keep(audit)
    result = AuditResult(
        audit="a", labelled=50, scores={}, accuracy=accuracy, own=None, fall=None, over_time=accuracy, audits=1,
        judged_at="2024-10-05T00:00:00+00:00",
    )  # fmt: skip
    store.keep_result(audit, lambda _: result)
    store.close()
    found = stake(world)
    assert found.now == accuracy and found.now_by.startswith("by an audit of 50 rows")
    other = accuracy.model_copy(update={"value": 0.9})
    ahead = audit.model_copy(update={"id": "b", "first_day": TODAY + 400, "last_day": TODAY + 400})
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        store.keep(ahead)
        store.keep_result(ahead, lambda _: result.model_copy(update={"audit": "b", "accuracy": other}))
    assert stake(world).now == accuracy, "an audit by a clock that was ahead says nothing about now"


def test_requests_are_counted_from_the_first_logged_day_unless_declared(world: WatchedCase) -> None:
    found, declared = stake(world), world.case.spec.value.requests_per_day
    expected = (60.0, "counted in the log over 2 days") if declared is None else (declared, "declared")
    assert (found.requests_per_day, found.requests_from) == expected


def test_drift_may_have_begun_a_week_before_it_was_found(world: WatchedCase) -> None:
    version = registry.get(world.tracker, NAME, world.version)
    assert drift_since_us(world.context, version) is None
    with closing(Outbox(world.settings.prediction_log_url(world.case.paths.project))) as outbox:
        outbox.record(alert(use_case=NAME, version=world.version, at_us=TODAY * DAY_US), ())
        assert drift_since_us(world.context, version) == (TODAY - 7) * DAY_US
        assert drift_since_us(world.context, None) is None
        outbox.clear(NAME, world.version, "drift", (TODAY + 1) * DAY_US, ())
    assert drift_since_us(world.context, version) is None
