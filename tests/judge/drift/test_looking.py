"""Looks at days whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailtune.core.monitored import DayCounts, Sample
from tailtune.judge.drift import Reference, count, look

FIRST = 20_000
LABELS = tuple(f"label {number}" for number in range(20))


def sample(random: np.random.Generator, rows: int, *, grown: float = 0.0, longer: float = 0.0) -> Sample:
    """Rows of 20 equally frequent labels, of which the first has so much more; texts are so much longer."""
    shares = np.full(len(LABELS), (1 - grown) / len(LABELS))
    shares[0] += grown
    vectors = random.normal(size=(rows, 16)).astype(np.float32)
    return Sample(
        rows,
        {"length": random.normal(10 + longer, 3, size=rows)},
        {"answer": [LABELS[place] for place in random.choice(len(LABELS), size=rows, p=shares)]},
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def month(reference: Reference, days: Sequence[Sample]) -> list[DayCounts]:
    counted: list[DayCounts] = []
    for number, rows in enumerate(days):
        counted.append(count(reference, rows, FIRST + number, counted))
    return counted


def test_quiet_days_raise_no_alarm_and_a_shift_is_named_and_dated() -> None:
    random = np.random.default_rng(5)
    reference = Reference.of(sample(random, 2000))
    quiet = [sample(random, 300) for _ in range(10)]
    moved = [sample(random, 300, grown=0.15) for _ in range(8)]
    assert not look(reference, month(reference, quiet)).alarm
    found = look(reference, month(reference, [*quiet, *moved]))
    assert found.alarm
    assert found.alarm_day is not None
    assert FIRST + 10 <= found.alarm_day <= FIRST + 14
    named = next(finding for finding in found.findings if finding.part)
    assert (named.measure, named.part, named.more) == ("answer", "label 0", True)
    assert named.alarm
    assert named.since is not None
    assert abs(named.since - FIRST - 10) <= 1


def test_an_empty_window_is_not_measured() -> None:
    random = np.random.default_rng(5)
    reference = Reference.of(sample(random, 200))
    nothing = look(reference, [])
    assert np.isnan(nothing.evidence)
    assert not nothing.findings
    assert "the window has no rows" in nothing.not_measured
