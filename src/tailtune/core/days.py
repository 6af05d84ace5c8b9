"""Days counted from 1970-01-01 (UTC), and how people write them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

DAY_US = 86_400_000_000
"""Microseconds of a day."""
_EPOCH = date(1970, 1, 1)


def day_of(at_us: int) -> int:
    """The day of a moment, which is given in microseconds since 1970 (UTC)."""
    return at_us // DAY_US


def moment_us(text: str) -> int:
    """A moment in ISO 8601 with its zone, in microseconds since 1970 (UTC)."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


def time_fault(at: str) -> str:
    """What is wrong with a time that a person wrote, as the end of a sentence about it; empty for ISO 8601."""
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return f"is {at[:40]}; expected a day or a time as 2026-03-12 or 2026-03-12T14:05:00+01:00"
    return ""


def number_of(day: date) -> int:
    """A calendar's day as a counted one."""
    return (day - _EPOCH).days


def shown(day: int) -> str:
    """A counted day, as people write it."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def span(first: int, last: int) -> str:
    """Counted days from one to another, both included: `2026-11-03`, `2026-11-01..2026-11-07`."""
    return shown(first) if first == last else f"{shown(first)}..{shown(last)}"
