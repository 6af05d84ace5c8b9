"""What a look found, as alerts: a cause is one that people act on, and grave when accuracy surely fell."""

from __future__ import annotations

from typing import Any

from tailtune.config.monitoring import MonitorSpec
from tailtune.core.days import moment_us
from tailtune.core.monitored import (
    LATENCY,
    STRANGENESS,
    AccuracyNow,
    DayFigures,
    Finding,
    MonitorReport,
    MovedWord,
    WatchedDay,
)
from tailtune.core.records import Estimate
from tailtune.operations.monitor import _strongest_and_limits
from tailtune.operations.troubles import alerts_of, measured

SPEC = MonitorSpec(usd_per_day=10.0)


def estimate(value: float, half: float = 0.01, rows: int = 1000) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, rows=rows)


def finding(measure: str, part: str, evidence: float, now: float = 0.2, limit: bool = False) -> Finding:
    return Finding(
        measure=measure,
        part=part,
        more=True,
        reference=estimate(0.01, 0.0, 0) if limit else estimate(0.05),
        window=estimate(now),
        difference=estimate(now - 0.05),
        p=0.001,
        evidence=evidence,
    )


def test_limits_are_told_however_much_else_has_moved() -> None:
    moved = [finding("length", str(n), 1e9) for n in range(60)]
    limit = finding(LATENCY, "", 1.0, limit=True)
    findings = _strongest_and_limits([*moved, limit])
    assert findings[:-1] == tuple(moved[: len(findings) - 1]) and len(findings) < 60
    assert findings[-1] == limit


def figures(**values: Any) -> DayFigures:
    made = {"rows": 500, "rows_read": 500, "unanswered": 0, "p50_ms": 2.0, "p99_ms": 4.0, "usd": 0.0, "unpriced": 0}
    return DayFigures(**{**made, **values})


def report(**values: Any) -> MonitorReport:
    made: dict[str, Any] = {
        "use_case": "inbox",
        "model": "inbox",
        "version": "3",
        "measure": "accuracy",
        "made_at": "2026-11-29T02:30:00+00:00",
        "first_day": 20_000,
        "last_day": 20_000,
        "source": "the prediction log",
        "rows": 500,
        "rows_read": 500,
        "reference_rows": 2000,
        "then": estimate(0.92),
        "now": (),
        "false_alarms": 0.05,
        "tolerance": 0.02,
        "evidence": 0.2,
        "findings": (),
        "statistics": 80,
        "days": (WatchedDay(day=20_000, figures=figures(), evidence=0.2),),
    }
    return MonitorReport(**{**made, **values})


def test_a_quiet_look_raises_nothing_and_measures_drift_and_cost() -> None:
    assert alerts_of(report(), SPEC, {}) == []
    assert measured(report(), SPEC) == {"drift", "cost"}
    assert measured(report(rows=0, rows_read=0, evidence=None), SPEC) == set(), "nothing is over that nobody saw"


def test_drift_is_a_warning_and_critical_when_accuracy_surely_fell_since() -> None:
    drifted = {"evidence": 5.0, "alarm_day": 19_999, "findings": (finding("novelty", "above 0.6", 5.0),)}
    (alert,) = alerts_of(report(**drifted), SPEC, {"report": "build/x.html"})
    assert (alert.cause, alert.severity, alert.links) == ("drift", "warning", {"report": "build/x.html"})
    assert "drift since 2024-10-03" in alert.title and "5.0 % of rows, 20.0 % now" in alert.moved[0]
    for accuracy, severity in ((0.905, "warning"), (0.80, "critical")):
        days = tuple(
            WatchedDay(day=day, figures=figures(accuracy=estimate(accuracy, 0.05)), evidence=5.0)
            for day in (19_999, 20_000)
        )
        (alert,) = alerts_of(report(**drifted, days=days), SPEC, {})
        assert alert.severity == severity


def test_a_message_names_words_and_says_nothing_twice() -> None:
    """Of the ranges of one measure the most telling; words early enough to be shown."""
    parts = (
        (STRANGENESS, "above 0.62"), (STRANGENESS, "above 0.48"), ("length", "above 90"), ("length", "below 12"),
        ("answer", "billing"), ("answer", "refunds"), ("novelty", "below 0.1"),
    )  # fmt: skip
    findings = tuple(finding(*part, 9.0 - place) for place, part in enumerate(parts))
    words = (MovedWord(word="relay", before=0.001, now=0.21),)
    (alert,) = alerts_of(report(evidence=9.0, findings=findings, words=words, alarm_day=20_000), SPEC, {})
    lines = [line.split(":")[0] for line in alert.moved]
    assert lines == [
        "Texts far from all that was learnt, answered unsurely (strangeness above 0.62)",
        "Words that texts have more often",
        "Length above 90",
        "Answers billing",
        "Novelty below 0.1",
        "Length below 12",
        "Answers refunds",
    ]
    assert "relay 0.1 → 21.0 % of texts" in alert.moved[1]


def test_one_low_night_before_any_drift_is_no_alarm() -> None:
    low = (AccuracyNow(by="no labels", accuracy=estimate(0.70, 0.05), note=""),)
    days = (WatchedDay(day=20_000, figures=figures(accuracy=estimate(0.70, 0.05)), evidence=0.1),)
    assert alerts_of(report(now=low, days=days), SPEC, {}) == []


def test_an_audit_that_shows_a_fall_is_trouble_of_its_own() -> None:
    audited = (AccuracyNow(by="audit", accuracy=estimate(0.78, 0.08, 50), note="fifty rows"),)
    (alert,) = alerts_of(report(now=audited), SPEC, {})
    assert (alert.cause, alert.severity) == ("accuracy", "critical") and "92.0 %" in alert.title
    assert "accuracy" in measured(report(now=audited), SPEC)
    fine = (AccuracyNow(by="audit", accuracy=estimate(0.88, 0.08, 50), note=""),)
    assert alerts_of(report(now=fine), SPEC, {}) == []


def test_limits_have_alerts_of_their_own_and_are_no_drift() -> None:
    slow = finding("latency", "above 50", 3.0, now=0.03, limit=True)
    (alert,) = alerts_of(report(evidence=3.2, findings=(slow,)), SPEC, {})
    assert (alert.cause, alert.severity) == ("latency", "warning")
    lost = finding("answer", "no answer", 4.0, now=0.4, limit=True)
    (alert,) = alerts_of(report(evidence=4.2, findings=(lost,)), SPEC, {})
    assert (alert.cause, alert.severity) == ("errors", "critical")


def test_a_dear_day_is_told_where_a_limit_is_declared() -> None:
    days = (WatchedDay(day=20_000, figures=figures(usd=12.5), evidence=0.1),)
    (alert,) = alerts_of(report(days=days), SPEC, {})
    assert alert.cause == "cost" and "$12.50" in alert.title
    assert alerts_of(report(days=days), MonitorSpec(), {}) == []


def test_a_day_that_is_not_over_ends_no_dear_day_before_it() -> None:
    so_far = WatchedDay(day=20_000, figures=figures(usd=0.2, rows=5, is_over=False), evidence=0.1)
    dear = WatchedDay(day=19_999, figures=figures(usd=12.5), evidence=0.1)
    fine = WatchedDay(day=19_999, figures=figures(usd=9.0), evidence=0.1)
    (alert,) = alerts_of(report(days=(dear, so_far)), SPEC, {})
    assert (alert.cause, alert.severity, alert.so_far) == ("cost", "warning", True) and "$12.50" in alert.title
    assert not alerts_of(report(days=(fine, so_far)), SPEC, {}) and "cost" in measured(
        report(days=(fine, so_far)), SPEC
    )
    ruin = WatchedDay(day=20_000, figures=figures(usd=50.0, is_over=False), evidence=0.1)
    (alert,) = alerts_of(report(days=(fine, ruin)), SPEC, {})
    assert (alert.severity, alert.at_us) == ("critical", moment_us("2026-11-29T02:30:00+00:00"))


def test_a_few_slow_rows_are_not_grave_yet() -> None:
    slow = finding("latency", "above 50", 3.0, now=0.3, limit=True)
    few = slow.model_copy(update={"window": Estimate(value=0.3, low=0.01, high=0.9, rows=3)})
    severities = [alerts_of(report(evidence=3.2, findings=(each,)), SPEC, {})[0].severity for each in (slow, few)]
    assert severities == ["critical", "warning"]
