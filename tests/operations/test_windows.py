"""Windows are whole days, UTC, that are over, or the rows so far of the one that is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tailtune.core.days import DAY_US, shown
from tailtune.core.errors import UsageError
from tailtune.operations.windows import Window

NOW = datetime(2026, 11, 8, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "name", "days"),
    [
        ("1d", "2026-11-07", 1),
        ("7d", "2026-11-01..2026-11-07", 7),
        ("2026-11-03", "2026-11-03", 1),
        (" 2026-10-31..2026-11-01 ", "2026-10-31..2026-11-01", 2),
    ],
)
def test_a_window_as_people_write_it(text: str, name: str, days: int) -> None:
    window = Window.parse(text, NOW)
    assert (window.name, window.days) == (name, days)
    assert window.until_us - window.since_us == days * DAY_US


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0d", "0 days"),
        ("400d", "400 days"),
        ("2026-11-08", "is not over"),
        ("2026-11-05..2026-11-01", "it ends before it begins"),
        ("2026-02-30", "no such day"),
        ("2026-11-07..2026-11-08", "its rows so far are the window `today`"),
        ("yesterday", "not a window"),
        ("6h", "not a window"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Window.parse(text, NOW)


def test_today_is_the_day_that_is_not_over() -> None:
    window = Window.parse("today", NOW)
    assert (window.name, window.days, window.is_over) == ("2026-11-08", 1, False)
    assert Window.parse("1d", NOW).is_over


def test_the_clock_of_another_zone_is_turned_to_utc() -> None:
    east = datetime.fromisoformat("2026-11-08T01:00:00+09:00")
    assert Window.parse("1d", east).name == "2026-11-06"
    assert shown(0) == "1970-01-01"
