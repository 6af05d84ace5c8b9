"""Counted days are kept whole, replaced by themselves, and apart for versions and references."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tailtune.core.monitored import DayCounts, DayFigures
from tailtune.core.records import Estimate
from tailtune.services.monitored_days import DriftEvent, KeptDay, MonitoredDays


@pytest.fixture
def days(database: str) -> Iterator[MonitoredDays]:
    opened = MonitoredDays(database)
    yield opened
    opened.close()


def day(number: int, rows: int = 10, **figures: object) -> KeptDay:
    counts = DayCounts(number, rows, {"answer\tis ü": (3, rows)}, {"embedding": (0.5, -1.25)})
    made = {"rows": rows, "rows_read": rows, "unanswered": 0, "p50_ms": None, "p99_ms": 1.5, "usd": 0.25, "unpriced": 0}
    return KeptDay(counts, DayFigures.model_validate({**made, **figures}))


def test_what_is_kept_is_read_as_it_was(days: MonitoredDays) -> None:
    kept = [day(5), day(6, accuracy=Estimate(value=0.9, low=0.8, high=0.95, rows=10))]
    days.keep("inbox", "3", "ref", kept)
    found = days.kept("inbox", "3", "ref", 0)
    assert [each.figures for each in found] == [each.figures for each in kept]
    assert [(each.counts.day, each.counts.rows, dict(each.counts.counts)) for each in found] == [
        (number, 10, {"answer\tis ü": (3, 10)}) for number in (5, 6)
    ]
    assert list(found[0].counts.sums["embedding"]) == [0.5, -1.25]


def test_a_day_again_replaces_itself_and_older_days_need_not_be_read(days: MonitoredDays) -> None:
    days.keep("inbox", "3", "ref", [day(5), day(6)])
    days.keep("inbox", "3", "ref", [day(6, rows=20)])
    assert [(each.counts.day, each.counts.rows) for each in days.kept("inbox", "3", "ref", 6)] == [(6, 20)]
    assert days.last_look("inbox") == 6 and days.last_look("outbox") is None


def test_versions_use_cases_and_references_do_not_mix(days: MonitoredDays) -> None:
    days.keep("inbox", "3", "ref", [day(5)])
    for use_case, version, reference in (("outbox", "3", "ref"), ("inbox", "4", "ref"), ("inbox", "3", "other")):
        assert days.kept(use_case, version, reference, 0) == []


def test_evidence_is_gathered_anew_from_a_day_on(days: MonitoredDays) -> None:
    assert days.restarted("inbox", "3") is None
    days.restart("inbox", "3", 7)
    days.restart("inbox", "3", 9)
    assert (days.restarted("inbox", "3"), days.restarted("inbox", "4")) == (9, None)


def test_what_automations_were_told_last_of_a_versions_drift(days: MonitoredDays) -> None:
    assert days.last_event("inbox", "3") is None
    for event in (DriftEvent(1_764_000_000_000_000, "warning", 2.5, "a"), DriftEvent(2, "critical", 4.0, "b")):
        days.keep_event("inbox", "3", event)
        assert days.last_event("inbox", "3") == event and days.last_event("inbox", "4") is None
    days.forget_event("inbox", "3")
    assert days.last_event("inbox", "3") is None


def test_a_day_that_was_not_over_is_no_whole_look(days: MonitoredDays) -> None:
    assert days.last_whole_look("inbox") is None
    days.keep("inbox", "3", "ref", [day(6, is_over=False)])
    assert (days.last_look("inbox"), days.last_look("inbox", until=5), days.last_whole_look("inbox")) == (6, None, 5)
    days.keep("inbox", "3", "ref", [day(4), day(6, is_over=False)])
    assert days.last_whole_look("inbox") == 4
    days.keep("inbox", "4", "ref", [day(6)])
    assert days.last_whole_look("inbox") == 6
