"""Which looks speak of the present."""

from __future__ import annotations

import pytest

from tailtune.operations.nightly import is_past


@pytest.mark.parametrize(
    ("last_day", "newest_day", "today", "past"),
    [
        (99, None, 100, False),
        (99, 99, 100, False),
        (99, 98, 100, False),
        (98, 99, 100, True),
        (98, 98, 100, False),
        (99, 4000, 100, False),
        (98, 4000, 100, True),
        (98, 100, 100, True),
    ],
)
def test_a_look_at_the_past_is_one_before_a_day_that_was_looked_at(
    last_day: int, newest_day: int | None, today: int, past: bool
) -> None:
    """Day 4000 was looked at while a clock was ahead."""
    assert is_past(last_day, newest_day, today) is past
