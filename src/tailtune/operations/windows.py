"""Windows of time: days, UTC. A day is what evidence is counted by, so a window never cuts one.

Days are over, but for `today`: its rows so far are looked at, and it is counted again as it grows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tailtune.core.days import DAY_US, number_of, shown, span
from tailtune.core.errors import UsageError

MOST_DAYS = 366
TODAY = "today"
_LAST = re.compile(r"(\d{1,3})d")
_BETWEEN = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?")


@dataclass(frozen=True)
class Window:
    """One per stretch of days.

    Attributes:
        first: Its first day, counted from 1970-01-01 (UTC).
        last: Its last day, which belongs to it.
        is_over: Whether that day is over.
    """

    first: int
    last: int
    is_over: bool = True

    @classmethod
    def parse(cls, text: str, now: datetime | None = None) -> Window:
        """A window as people write it.

        Args:
            text: `7d`, the last seven whole days; `2026-11-03`, that day; `2026-11-01..2026-11-07`, both included;
                `today`, the rows so far of the day that is not over.
            now: The present; the clock's when None.

        Raises:
            UsageError: It is none of these, is empty, or a day that is not over is named by its date.
        """
        today = number_of((now or datetime.now(UTC)).astimezone(UTC).date())
        if text.strip() == TODAY:
            return cls(today, today, is_over=False)
        if found := _LAST.fullmatch(text.strip()):
            window = cls(today - int(found[1]), today - 1)
        elif found := _BETWEEN.fullmatch(text.strip()):
            try:
                first, last = (number_of(date.fromisoformat(each)) for each in (found[1], found[2] or found[1]))
            except ValueError as error:
                raise _no_window(text, f"no such day ({error})") from None
            window = cls(first, last)
        else:
            raise _no_window(text, "not a window")
        if window.last < window.first and ".." in text:
            raise _no_window(text, "it ends before it begins")
        if not 1 <= window.days <= MOST_DAYS:
            raise _no_window(text, f"{window.days} days; expected 1 to {MOST_DAYS}")
        if window.last >= today:
            raise _no_window(text, f"{shown(today)} (UTC) is not over; its rows so far are the window `today`")
        return window

    @property
    def days(self) -> int:
        """How many days."""
        return self.last - self.first + 1

    @property
    def name(self) -> str:
        """As people read it: `2026-11-03`, `2026-11-01..2026-11-07`."""
        return span(self.first, self.last)

    @property
    def written(self) -> str:
        """As it is written in a command."""
        return self.name if self.is_over else TODAY

    @property
    def since_us(self) -> int:
        """Its beginning, microseconds since 1970 (UTC)."""
        return self.first * DAY_US

    @property
    def until_us(self) -> int:
        """The moment after its end."""
        return (self.last + 1) * DAY_US


def _no_window(text: str, why: str) -> UsageError:
    return UsageError(
        f"--window {text}: {why}", "--window 1d (yesterday), 7d, 2026-11-03, 2026-11-01..2026-11-07 or today, UTC"
    )
