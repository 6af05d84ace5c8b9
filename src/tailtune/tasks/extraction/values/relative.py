"""Dates that count from another one: `yesterday`, `last Tuesday`, `two days before I called`."""

from __future__ import annotations

import re
from datetime import date, timedelta

from tailtune.tasks.extraction.values.days import WEEKDAY_OF, moved, weekday_after, weekday_before
from tailtune.tasks.extraction.values.words import in_words

_DAY = "|".join(sorted(WEEKDAY_OF, key=len, reverse=True))
_OF_DAY = "(?:morning|afternoon|evening)"
_PART = rf"(?:\s(?:early|late|in the|at|around|about|this))*\s?(?:{_OF_DAY}|night|noon|midday|lunchtime)?"
_NAMED: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"(?:the )?day before yesterday{_PART}"), -2),
    (re.compile(rf"(?:the )?day after tomorrow{_PART}"), 2),
    (re.compile(rf"(?:only |just )?yesterday{_PART}"), -1),
    (re.compile(r"last night|(?:the )?(?:night|evening|day) before|(?:the )?previous day"), -1),
    (re.compile(rf"(?:earlier |late |later )?today{_PART}|tonight|(?:the )?same day"), 0),
    (re.compile(rf"(?:early |late )?this (?:very )?{_OF_DAY}"), 0),
    (re.compile(rf"tomorrow{_PART}|(?:the )?(?:day after|next day|following day)"), 1),
)
_COUNTED = re.compile(
    r"(?:some |about |around |exactly |only |just |roughly |in )*"
    r"(?P<count>\d{1,4}|(?:a )?couple(?: of)?|[a-z]+(?:[ -][a-z]+)?)[\s-]"
    r"(?P<unit>day|night|week|fortnight|month|year)s?(?:['’])?\s?"
    r"(?P<way>ago|earlier|before|prior|previously|back|later|after|from now|from today|afterwards|hence|time)?\b"
    r"(?P<rest>.*)"
)
_PAST = ("ago", "earlier", "before", "prior", "previously", "back")
_WEEKDAY = re.compile(
    rf"(?:(?P<which>last|this past|past|previous|this|coming|this coming|next|following)\s)?(?P<day>{_DAY})(?:day)?\.?"
    rf"(?:\s(?:of\s)?(?P<week>last|this|next) week)?{_PART}"
)
VAGUE = re.compile(
    r"(?:in |during |over |at |on )?(?:the )?(?:other|last|past|this|next|previous|early|late|mid)\s(?:few )?"
    r"(?:week|weekend|month|year|day|spring|summer|autumn|fall|winter)s?|recently|lately|soon|"
    r"(?:a )?(?:few|several|some) (?:days|weeks|months|years) (?:ago|earlier|before)"
)
"""What names no single day."""


def read_relative(text: str, anchor: date) -> date | None:
    """The day that a text means, counted from the anchor.

    Args:
        text: Lower case, white space collapsed.
        anchor: The day to count from. `last Tuesday` is the latest one before it.

    Returns:
        None when the text counts from nothing.
    """
    for pattern, days in _NAMED:
        if pattern.fullmatch(text):
            return moved(anchor, days, "day")
    weekday = _WEEKDAY.fullmatch(text)
    if weekday:
        return _weekday(weekday, anchor)
    counted = _COUNTED.fullmatch(text)
    return _counted(counted, anchor) if counted else None


def _counted(found: re.Match[str], anchor: date) -> date | None:
    words = found["count"]
    few = {"a": 1.0, "an": 1.0}
    if words.isdigit():
        said: float | None = float(words)
    else:
        said = 2.0 if "couple" in words else few.get(words, in_words(words))
    if said is None or said != int(said):
        return None
    unit = "day" if found["unit"] == "night" else found["unit"]
    way = found["way"] or ""
    if way in _PAST:
        return moved(anchor, -int(said), unit)
    ahead = way in ("later", "after", "afterwards", "from now", "from today", "hence", "time")
    ahead = ahead or (found.group().startswith("in ") and not way)
    return moved(anchor, int(said), unit) if ahead and (way == "after" or not found["rest"].strip()) else None


def _weekday(found: re.Match[str], anchor: date) -> date | None:
    day, which, week = WEEKDAY_OF[found["day"]], found["which"] or "", found["week"]
    if week is not None:
        monday = anchor - timedelta(days=anchor.weekday())
        return moved(monday, {"last": -7, "this": 0, "next": 7}[week] + day, "day")
    if which in ("coming", "this coming", "next", "following"):
        return weekday_after(anchor, day)
    return None if which == "this" else weekday_before(anchor, day)
