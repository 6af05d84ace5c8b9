"""Alerts as a monitor raises them, and a clock that tests set."""

from __future__ import annotations

from typing import Any

from tailtune.core.alerts import Alert

SECOND_US = 1_000_000
HOUR_US, DAY_US = 3_600 * SECOND_US, 86_400 * SECOND_US
NOON_US = 20_000 * DAY_US + DAY_US // 2
"""Noon of day 20,000 since 1970."""


class Clock:
    """Shows what it is set to; waiting moves it on."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_us += round(seconds * SECOND_US)

    def pass_hours(self, hours: float) -> None:
        self.now_us += round(hours * HOUR_US)


def alert(**values: Any) -> Alert:
    made: dict[str, Any] = {
        "use_case": "inbox",
        "version": "3",
        "cause": "drift",
        "severity": "warning",
        "at_us": NOON_US,
        "title": "inbox: 12 % of rows are unlike anything in training",
    }
    return Alert(**{**made, **values})
