"""What a history of changes says of how often behaviour changes, and what a declaration says before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.judge.cadence import Cadence, seen_days


def test_the_median_gap_counts_and_a_day_of_many_commits_is_one_change() -> None:
    assert seen_days([0.2, 0.3, 0.9, 20.5, 50.0, 90.1]) == 30.0
    assert seen_days([90.1, 50.0, 0.3, 20.5, 0.2, 0.9]) == 30.0


@pytest.mark.parametrize("changes", [[], [0.0, 90.0], [0.0, 0.5, 0.6, 90.0], [0.0, 1.0, 2.0, 59.9]])
def test_few_changes_or_a_young_history_say_nothing(changes: list[float]) -> None:
    assert seen_days(changes) is None


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_a_cadence_is_at_least_a_day_and_at_most_the_span(changes: list[float]) -> None:
    found = seen_days(changes)
    assert found is None or 1 <= found <= max(changes) - min(changes) + 1


@pytest.mark.parametrize(
    ("declared", "seen", "days", "often"),
    [(None, None, None, False), (90, 7, 90, False), (30, None, 30, True), (30.5, 7, 30.5, False), (None, 7, 7, True)],
)
def test_what_is_declared_counts_before_what_was_seen(
    declared: float | None, seen: float | None, days: float | None, often: bool
) -> None:
    found = Cadence(declared, seen)
    assert (found.days, found.often) == (days, often)
    assert found.binding == (often and declared is not None)
    assert bool(found.declaring) == (often and declared is None)
