"""When a retrain starts: by its way in, the cool-down, what is new, and what errors cost until the next chance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tailtune.core.ledger import Bill, Line
from tailtune.core.records import Estimate
from tailtune.core.reports import CostLine
from tailtune.core.retrains import WAYS_IN, Because, RetrainDecision
from tailtune.judge.retrain import AtStake, Circumstances, costs_of, decide, fall_of, reckon

AUTOMATIC: tuple[Because, ...] = ("schedule", "drift", "labels")


def about(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, rows=1000)


STAKE = AtStake(
    then=about(0.95),
    now=about(0.90),
    now_by="by an audit",
    requests_per_day=1000.0,
    requests_from="declared",
    error_usd=0.5,
    days=7.0,
    costs=(CostLine(what="machine", usd=20.0, basis=""), CostLine(what="a person's time", usd=100.0, basis="")),
)
NEW = Circumstances(new_labels=80, min_new_labels=50, days_since_last=30.0, cooldown_days=6.0)


def decided(because: Because, around: Circumstances = NEW, **stake: Any) -> RetrainDecision:
    return decide(because, reckon(replace(STAKE, **stake)), around)


def test_the_loss_is_fall_times_requests_times_price_times_days() -> None:
    reckoning = reckon(STAKE)
    assert reckoning.loss is not None and reckoning.fall is not None
    assert reckoning.loss.value == pytest.approx(0.05 * 1000 * 0.5 * 7)
    assert reckoning.loss.low == pytest.approx(reckoning.fall.low * 1000 * 0.5 * 7)
    assert reckoning.cost_usd == 120.0 and not reckoning.missing


def test_a_fall_has_the_interval_of_two_independent_figures() -> None:
    fall = fall_of(about(0.95, 0.03), about(0.90, 0.04))
    assert (fall.value, fall.low, fall.high) == pytest.approx((0.05, 0.0, 0.10))


@pytest.mark.parametrize("because", AUTOMATIC)
def test_it_starts_where_errors_cost_more_than_a_retrain(because: Because) -> None:
    decision = decided(because)
    assert decision.go and decision.worth_it
    assert "errors cost $175 more until the next chance in 7 days, a retrain $120" in decision.reason
    assert "80 new labels" in decision.reason


@pytest.mark.parametrize("because", AUTOMATIC)
@pytest.mark.parametrize(
    ("stake", "why"),
    [
        ({"error_usd": 0.3}, "a retrain costs $120"),
        ({"requests_per_day": 500.0}, "a retrain costs $120"),
        ({"now": about(0.96)}, "accuracy has not fallen"),
    ],
)
def test_it_does_not_start_where_it_is_not_worth_it(because: Because, stake: dict[str, Any], why: str) -> None:
    decision = decided(because, **stake)
    assert not decision.go and decision.worth_it is False
    assert why in decision.reason


def test_by_the_week_a_fall_must_be_shown_and_drift_has_shown_that_something_moved() -> None:
    wide = {"now": about(0.90, 0.06)}
    assert not decided("schedule", **wide).go and "is not shown" in decided("schedule", **wide).reason
    assert "tailtune audit" in decided("labels", **wide).reason
    assert decided("drift", **wide).go


@pytest.mark.parametrize(
    ("stake", "missing"),
    [
        ({"error_usd": None}, "value.error_usd"),
        ({"requests_per_day": None}, "value.requests_per_day"),
        ({"now": None}, "accuracy now"),
        ({"then": None}, "accuracy at registration"),
        ({"now": about(math.nan)}, "accuracy now"),
        ({"then": about(math.nan)}, "accuracy at registration"),
        ({"costs": (CostLine(what="machine", usd=None, basis=""),)}, "what machine costs"),
    ],
)
def test_what_cannot_be_reckoned_is_started_by_all_but_drift(stake: dict[str, Any], missing: str) -> None:
    for because in WAYS_IN:
        decision = decided(because, **stake)
        assert decision.go == (because != "drift")
        assert decision.worth_it is None and missing in decision.reason
        assert missing in " ".join(decision.reckoning.missing)


@pytest.mark.parametrize("because", AUTOMATIC)
def test_none_starts_by_itself_within_the_cool_down(because: Because) -> None:
    assert "ended 2.0 days ago" in decided(because, replace(NEW, days_since_last=2.0)).reason
    assert not decided(because, replace(NEW, days_since_last=5.9)).go
    assert decided(because, replace(NEW, days_since_last=6.0)).go
    assert decided(because, replace(NEW, days_since_last=None)).go
    assert decided(because, replace(NEW, days_since_last=-300.0)).go, "it ended while the clock was ahead"


def test_too_few_labels_are_no_reason_of_their_own() -> None:
    few = replace(NEW, new_labels=49)
    assert not decided("labels", few).go and "49 new labels, and 50 start" in decided("labels", few).reason
    assert decided("schedule", few).go


@pytest.mark.parametrize("because", AUTOMATIC)
def test_where_nothing_is_new_a_retrain_would_make_the_same(because: Because) -> None:
    nothing = replace(NEW, new_labels=0, min_new_labels=1)
    assert not decided(because, nothing).go
    if because != "labels":
        assert decided(because, replace(nothing, changes=("another price",))).go


def test_by_hand_it_always_starts_and_says_what_the_reckoning_says() -> None:
    around = replace(NEW, new_labels=0, days_since_last=0.1)
    for stake in ({}, {"error_usd": 0.0}, {"now": about(0.99)}, {"error_usd": None}):
        decision = decided("hand", around, **stake)
        assert decision.go and decision.reason.startswith("by hand; ")
    assert "accuracy has not fallen" in decided("hand", around, now=about(0.99)).reason


def bill(version: str | None, training: float | None, labelling: float = 9.0) -> Bill:
    line = Line(known_usd=training or 0.0, unknown=int(training is None))
    lines = {"training": line, "labelling": Line(known_usd=labelling)}
    return Bill.model_validate({"version": version, "lines": lines, "total": Line()})


def test_a_retrain_costs_what_versions_cost_and_declared_hours() -> None:
    bills = [bill("1", 1.0), bill("2", 5.0), bill("3", 2.0), bill("4", None), bill(None, 100.0)]
    life, person = costs_of(bills, 2.0, 75.0, "2 h")
    assert (life.usd, person.usd) == (2.0, 150.0)
    assert "3 versions" in life.basis


def test_a_price_that_nobody_declared_is_not_known_and_no_hours_cost_nothing() -> None:
    assert [line.usd for line in costs_of([bill("1", None)], 2.0, None, "")] == [None, None]
    assert costs_of([], 0.0, None, "")[1].usd == 0.0


def test_drift_waits_for_labels_of_its_own_time() -> None:
    """Those of before teach nothing of what moved, and a retrain's cool-down would hold up the one that does."""
    few = decided("drift", replace(NEW, new_labels=300, drift_labels=49))
    assert not few.go and "49 new labels are of the time of the drift, and 50 start a retrain" in few.reason
    assert decided("drift", replace(NEW, new_labels=300, drift_labels=50)).go
    assert decided("schedule", replace(NEW, new_labels=300, drift_labels=0)).go
    assert decided("drift", replace(NEW, new_labels=1, drift_labels=0, changes=("other rows",))).go
    assert not decided("drift", replace(NEW, new_labels=49)).go, "where its time is not known, all that is new counts"


def test_audited_rows_teach_nothing() -> None:
    decision = decided("schedule", replace(NEW, new_labels=0, audited=200))
    assert not decision.go and "(200 audited rows are test rows)" in decision.reason
