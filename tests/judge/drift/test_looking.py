"""Looks at days whose truth is known."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from judge.drift.days import FIRST, LABELS, counted, sample
from tailtune.core.monitored import DayCounts, Sample
from tailtune.judge.drift import Limit, Reference, count, look


def test_quiet_days_raise_no_alarm_and_a_shift_is_named_and_dated() -> None:
    random = np.random.default_rng(5)
    reference = Reference.of(sample(random, 2000))
    quiet = [sample(random, 300) for _ in range(10)]
    moved = [sample(random, 300, grown=0.15) for _ in range(8)]
    assert not look(reference, counted(reference, quiet)).alarm
    seen = look(reference, counted(reference, [*quiet, *moved]))
    assert seen.alarm
    assert seen.alarm_day is not None
    assert FIRST + 10 <= seen.alarm_day <= FIRST + 14
    named = next(finding for finding in seen.findings if finding.part)
    assert (named.measure, named.part, named.more) == ("answer", LABELS[0], True)
    assert named.alarm
    assert named.since is not None
    assert abs(named.since - FIRST - 10) <= 1


@pytest.mark.parametrize(("change", "measure"), [({"longer": 2.0}, "length"), ({"turned": 1.5}, "embedding")])
def test_each_kind_of_measure_is_seen(change: dict[str, float], measure: str) -> None:
    random = np.random.default_rng(6)
    reference = Reference.of(sample(random, 2000))
    seen = look(reference, counted(reference, [sample(random, 400, **change) for _ in range(6)]))
    assert seen.alarm
    assert seen.findings[0].measure == measure


def test_trifles_never_alarm_however_many_rows_show_them_and_more_does() -> None:
    reference, random = quarter(), np.random.default_rng(7)
    trifle, matters = (
        [of_counts(random, 1_000_000, share, FIRST + day) for day in range(30)] for share in (0.257, 0.28)
    )
    small = look(reference, trifle)
    assert small.evidence < 0.1
    assert small.findings[0].difference.low > 0
    assert small.findings[0].p > 0.05
    assert look(reference, matters).alarm_day == FIRST


def quarter() -> Reference:
    """One answer in four is "yes", of 40,000."""
    return Reference.of(Sample(40_000, {}, {"answer": ["yes", "no", "no", "no"] * 10_000}))


def of_counts(random: np.random.Generator, rows: int, share: float, day: int) -> DayCounts:
    """A day with this share of "yes", without its rows."""
    yes = int(random.binomial(rows, share))
    kept = {"answer\tis yes": yes, "answer\tis no": rows - yes, "answer\tnone": 0, "answer\tother": 0}
    return DayCounts(day, rows, {key: (hits, rows) for key, hits in kept.items()})


def test_evidence_is_the_same_in_any_order_and_after_a_night_as_json() -> None:
    random = np.random.default_rng(8)
    reference = Reference.of(sample(random, 500))
    days = counted(reference, [sample(random, 100, grown=0.05) for _ in range(4)])
    stored = [DayCounts(**json.loads(json.dumps(asdict(day)))) for day in days]
    assert look(reference, stored[::-1]) == look(reference, days)


def test_what_was_seen_to_is_evidence_no_more() -> None:
    random = np.random.default_rng(9)
    reference = Reference.of(sample(random, 2000))
    days = counted(
        reference,
        [sample(random, 500, grown=0.2) for _ in range(5)] + [sample(random, 500) for _ in range(5)],
    )
    assert look(reference, days).alarm
    again = look(reference, days, since=FIRST + 5)
    assert not again.alarm
    assert again.days == tuple(range(FIRST + 5, FIRST + 10))


def test_shares_are_those_of_the_window() -> None:
    random = np.random.default_rng(10)
    reference = Reference.of(sample(random, 2000))
    days = counted(reference, [sample(random, 500), sample(random, 500, grown=0.3)])
    last = look(reference, days, window=(FIRST + 1, FIRST + 1))
    named = next(finding for finding in last.findings if finding.part == LABELS[0])
    assert named.window.rows == 500
    assert named.window.value > 0.25
    assert named.difference.low > 0.1
    assert named.difference.low <= named.difference.value <= named.difference.high
    assert named.p < 1e-6


def test_an_empty_window_is_not_measured() -> None:
    random = np.random.default_rng(5)
    reference = Reference.of(sample(random, 200))
    nothing = look(reference, [])
    assert np.isnan(nothing.evidence)
    assert not nothing.findings
    assert "the window has no rows" in nothing.not_measured
    empty = look(reference, counted(reference, [sample(random, 0)]))
    assert np.isnan(empty.evidence)
    assert "the window has no rows" in empty.not_measured


@pytest.mark.parametrize("rows", [1, 3, 60])
def test_short_windows_are_looked_at_without_alarm(rows: int) -> None:
    random = np.random.default_rng(11)
    reference = Reference.of(sample(random, 200))
    seen = look(reference, counted(reference, [sample(random, rows), sample(random, 0), sample(random, rows)]))
    assert not seen.alarm
    assert all(np.isfinite(seen.path))
    assert all(0 <= finding.p <= 1 for finding in seen.findings)


def test_a_window_of_one_category_is_an_alarm() -> None:
    random = np.random.default_rng(12)
    reference = Reference.of(sample(random, 1000))
    one = sample(random, 200)
    one = replace(one, categories={"answer": [LABELS[3]] * 200})
    named = look(reference, counted(reference, [one])).findings[0]
    assert (named.measure, named.part, named.more) == ("answer", LABELS[3], True)
    assert named.alarm


def test_categories_that_nobody_saw_and_rows_without_are_named() -> None:
    random = np.random.default_rng(13)
    reference = Reference.of(sample(random, 1000))
    rows = sample(random, 200)
    strange: list[str | None] = [*rows.categories["answer"][:140], *["new"] * 30, *[None] * 30]
    seen = look(reference, counted(reference, [replace(rows, categories={"answer": strange}) for _ in range(2)]))
    parts = {finding.part for finding in seen.findings if finding.alarm}
    assert {"not in the reference", "no answer"} <= parts


def test_measures_that_the_window_lacks_are_named_and_are_no_drift() -> None:
    random = np.random.default_rng(14)
    reference = Reference.of(sample(random, 1000))
    bare = replace(sample(random, 300), numbers={}, embeddings=None)
    seen = look(reference, counted(reference, [bare] * 3))
    assert not seen.alarm
    assert {finding.measure for finding in seen.findings} == {"answer"}
    assert set(seen.not_measured) == {
        "embedding: no row of the window has it",
        "length: no row of the window has it",
    }


def test_a_number_that_is_often_missing_is_drift() -> None:
    random = np.random.default_rng(15)
    reference = Reference.of(sample(random, 1000))
    rows = sample(random, 300)
    holes = np.where(np.arange(300) % 5 == 0, np.nan, rows.numbers["length"])
    seen = look(reference, counted(reference, [replace(rows, numbers={"length": holes})] * 3))
    named = next(finding for finding in seen.findings if finding.part == "measured")
    assert named.alarm
    assert not named.more
    assert named.window.value == pytest.approx(0.8)


def test_limits_hold_whatever_the_reference_was() -> None:
    random = np.random.default_rng(16)
    limits = (Limit("latency_ms", 0.01, above=100.0), Limit("answer", 0.02))
    reference = Reference.of(sample(random, 500), limits=limits)
    rows = sample(random, 1000)
    slow = replace(rows, numbers={**rows.numbers, "latency_ms": np.where(np.arange(1000) % 20 == 0, 150.0, 5.0)})
    fine = replace(rows, numbers={**rows.numbers, "latency_ms": np.where(np.arange(1000) % 200 == 0, 150.0, 5.0)})
    assert not look(reference, counted(reference, [fine] * 20)).alarm
    named = look(reference, counted(reference, [slow] * 3)).findings[0]
    assert (named.measure, named.part, named.more) == ("latency_ms", "above 100", True)
    assert named.reference.value == 0.01
    assert named.difference.value == pytest.approx(0.04)
    assert named.alarm


def test_a_day_counted_twice_is_the_same_day() -> None:
    random = np.random.default_rng(17)
    reference = Reference.of(sample(random, 500))
    days = counted(reference, [sample(random, 100) for _ in range(3)])
    rows = sample(random, 100)
    assert count(reference, rows, FIRST + 3, days) == count(reference, rows, FIRST + 3, [*reversed(days), days[0]][:3])
