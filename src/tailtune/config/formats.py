"""What the formats of a schema demand of a string: date, time, email, phone. All others as jsonschema knows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonschema import FormatChecker

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")


def is_date(text: str) -> bool:
    """Whether a text is a day of the calendar, `2026-03-12`."""
    if not (_DATE.fullmatch(text) and text.isascii()):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """Whether a text is a time of day, `14:05`; seconds and an offset, which RFC 3339 wants, may follow."""
    return bool(text.isascii() and _TIME.fullmatch(text))


def is_email(text: str) -> bool:
    """Whether a text is one mailbox, `a.b@example.org`; quoted names and bare hosts are not taken."""
    return bool(_EMAIL.fullmatch(text)) and ".." not in text and not text.startswith(".")


def is_phone(text: str) -> bool:
    """Whether a text is a number in E.164, `+14155550123`."""
    return bool(text.isascii() and _PHONE.fullmatch(text))


FORMATS: dict[str, Callable[[str], bool]] = {"date": is_date, "time": is_time, "email": is_email, "phone": is_phone}
"""Format → test, for the formats that are kinds of fields."""
CHECKED = (*FORMATS, "ipv4", "ipv6", "uuid")
"""All formats that are checked; a schema may name no other, since nothing would hold values to it."""


@cache
def checker() -> FormatChecker:
    """The checker that validators of schemas are built with."""
    from jsonschema import FormatChecker

    made = FormatChecker([name for name in CHECKED if name not in FORMATS])
    for name, test in FORMATS.items():
        made.checks(name)(partial(_holds, test))
    return made


def _holds(test: Callable[[str], bool], value: object) -> bool:
    """A format says nothing about what is no string."""
    return not isinstance(value, str) or test(value)
