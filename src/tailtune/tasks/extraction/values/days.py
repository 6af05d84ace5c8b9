"""Names of days and months, and the arithmetic of dates that count from another one."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta

MONTHS = re.findall(r"\w+", "january february march april may june july august september october november december")
WEEKDAYS = re.findall(r"\w+", "monday tuesday wednesday thursday friday saturday sunday")
MONTH_OF = {name[:3]: i for i, name in enumerate(MONTHS, start=1)} | {name: i for i, name in enumerate(MONTHS, start=1)}
MONTH_OF |= {"sept": 9}
WEEKDAY_OF = {name: i for i, name in enumerate(WEEKDAYS)} | {name[:3]: i for i, name in enumerate(WEEKDAYS)}
WEEKDAY_OF |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
_SOON = 330  # days: a yearless date that long ago is the one that is about to come


def day_of(year: int, month: int, day: int) -> date | None:
    """A date; None where the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def full_year(digits: str) -> int:
    """The year that four or two digits say: 00 to 68 are after 2000, as POSIX has it."""
    year = int(digits.lstrip("'’"))
    return year if year > 99 else year + (2000 if year < 69 else 1900)


def without_year(month: int, day: int, anchor: date) -> date | None:
    """The last such day up to the anchor; the next one where that is only weeks ahead and the last a year ago."""
    for year in range(anchor.year, anchor.year - 9, -1):  # 29 February may be eight years away
        found = day_of(year, month, day)
        if found is not None and found <= anchor:
            ahead = day_of(found.year + 1, month, day)
            return ahead if ahead is not None and (anchor - found).days > _SOON else found
    return None


def moved(anchor: date, count: int, unit: str) -> date | None:
    """A date some `day`, `week`, `fortnight`, `month` or `year` away; a month too short ends on its last day."""
    try:
        if unit in ("month", "year"):
            months = anchor.year * 12 + anchor.month - 1 + count * (12 if unit == "year" else 1)
            year, month = months // 12, months % 12 + 1
            return date(year, month, min(anchor.day, monthrange(year, month)[1]))
        return anchor + timedelta(days=count * {"day": 1, "week": 7, "fortnight": 14}[unit])
    except (ValueError, OverflowError):
        return None


def weekday_before(anchor: date, weekday: int) -> date | None:
    """The latest such weekday before the anchor."""
    return moved(anchor, -((anchor.weekday() - weekday - 1) % 7 + 1), "day")


def weekday_after(anchor: date, weekday: int) -> date | None:
    """The first such weekday after the anchor."""
    return moved(anchor, (weekday - anchor.weekday() - 1) % 7 + 1, "day")
