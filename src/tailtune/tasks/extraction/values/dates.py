"""Days to `2026-03-12` and times of day to `14:05`.

Common forms are read by patterns, other dates by dateparser. Neither looks at the clock: a date that counts from
another one (`yesterday`, `two days before I called`) needs that other date, the anchor.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from tailtune.tasks.extraction.values.numbers import in_words
from tailtune.tasks.extraction.values.texts import Refusal, shown

MONTHS = re.findall(r"\w+", "january february march april may june july august september october november december")
WEEKDAYS = re.findall(r"\w+", "monday tuesday wednesday thursday friday saturday sunday")
MONTH_OF = {name[:3]: i for i, name in enumerate(MONTHS, start=1)} | {name: i for i, name in enumerate(MONTHS, start=1)}
MONTH_OF |= {"sept": 9}
WEEKDAY_OF = {name: i for i, name in enumerate(WEEKDAYS)} | {name[:3]: i for i, name in enumerate(WEEKDAYS)}
WEEKDAY_OF |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
_SOON = 330  # days: a date without year that would be longer ago than this is the one that comes next


def day_of(year: int, month: int, day: int) -> date | None:
    """A date; None where the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def full_year(digits: str) -> int:
    """A year of four or two digits: 00 to 68 are after 2000, as in POSIX."""
    year = int(digits.lstrip("'’"))
    return year if year > 99 else year + (2000 if year < 69 else 1900)


def without_year(month: int, day: int, anchor: date) -> date | None:
    """The latest such day up to the anchor, or the next one if that is only weeks ahead."""
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


_WEEKDAYS = "|".join(sorted(WEEKDAY_OF, key=len, reverse=True))
_PART_OF_DAY = "(?:morning|afternoon|evening)"
_WHEN = rf"(?:\s(?:early|late|in the|at|around|about|this))*\s?(?:{_PART_OF_DAY}|night|noon|midday|lunchtime)?"
_NAMED_DAYS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(rf"(?:the )?day before yesterday{_WHEN}"), -2),
    (re.compile(rf"(?:the )?day after tomorrow{_WHEN}"), 2),
    (re.compile(rf"(?:only |just )?yesterday{_WHEN}"), -1),
    (re.compile(r"last night|(?:the )?(?:night|evening|day) before|(?:the )?previous day"), -1),
    (re.compile(rf"(?:earlier |late |later )?today{_WHEN}|tonight|(?:the )?same day"), 0),
    (re.compile(rf"(?:early |late )?this (?:very )?{_PART_OF_DAY}"), 0),
    (re.compile(rf"tomorrow{_WHEN}|(?:the )?(?:day after|next day|following day)"), 1),
)
_COUNTED_DAYS = re.compile(
    r"(?:some |about |around |exactly |only |just |roughly |in )*"
    r"(?P<count>\d{1,4}|(?:a )?couple(?: of)?|[a-z]+(?:[ -][a-z]+)?)[\s-]"
    r"(?P<unit>day|night|week|fortnight|month|year)s?(?:['’])?\s?"
    r"(?P<way>ago|earlier|before|prior|previously|back|later|after|from now|from today|afterwards|hence|time)?\b"
    r"(?P<rest>.*)"
)
_BACKWARDS = ("ago", "earlier", "before", "prior", "previously", "back")
_NAMED_WEEKDAY = re.compile(
    r"(?:(?P<which>last|this past|past|previous|this|coming|this coming|next|following)\s)?"
    rf"(?P<day>{_WEEKDAYS})(?:day)?\.?"
    rf"(?:\s(?:of\s)?(?P<week>last|this|next) week)?{_WHEN}"
)
_VAGUE = re.compile(
    r"(?:in |during |over |at |on )?(?:the )?(?:other|last|past|this|next|previous|early|late|mid)\s(?:few )?"
    r"(?:week|weekend|month|year|day|spring|summer|autumn|fall|winter)s?|recently|lately|soon|"
    r"(?:a )?(?:few|several|some) (?:days|weeks|months|years) (?:ago|earlier|before)"
)
"""Names more than a single day."""


def read_relative(text: str, anchor: date) -> date | None:
    """The day that a text means, counted from the anchor.

    Args:
        text: Lower case, white space collapsed.
        anchor: The day to count from. `last Tuesday` is the latest one before it.

    Returns:
        None when the text counts from nothing.
    """
    for pattern, days in _NAMED_DAYS:
        if pattern.fullmatch(text):
            return moved(anchor, days, "day")
    weekday = _NAMED_WEEKDAY.fullmatch(text)
    if weekday:
        return _relative_weekday(weekday, anchor)
    counted = _COUNTED_DAYS.fullmatch(text)
    return _counted_days(counted, anchor) if counted else None


def _counted_days(found: re.Match[str], anchor: date) -> date | None:
    words = found["count"]
    few = {"a": 1.0, "an": 1.0}
    if words.isdigit():
        number: float | None = float(words)
    else:
        number = 2.0 if "couple" in words else few.get(words, in_words(words))
    if number is None or number != int(number):
        return None
    unit = "day" if found["unit"] == "night" else found["unit"]
    way = found["way"] or ""
    if way in _BACKWARDS:
        return moved(anchor, -int(number), unit)
    ahead = way in ("later", "after", "afterwards", "from now", "from today", "hence", "time")
    ahead = ahead or (found.group().startswith("in ") and not way)
    return moved(anchor, int(number), unit) if ahead and (way == "after" or not found["rest"].strip()) else None


def _relative_weekday(found: re.Match[str], anchor: date) -> date | None:
    day, which, week = WEEKDAY_OF[found["day"]], found["which"] or "", found["week"]
    if week is not None:
        monday = anchor - timedelta(days=anchor.weekday())
        return moved(monday, {"last": -7, "this": 0, "next": 7}[week] + day, "day")
    if which in ("coming", "this coming", "next", "following"):
        return weekday_after(anchor, day)
    return None if which == "this" else weekday_before(anchor, day)


_BEFORE_DATE = re.compile(rf"^(?:(?:on|dated?|since|from|the|of)\s)*(?:(?:{_WEEKDAYS})\b[.,]*\s(?:the\s)?(?=.*\d))?")
_TIME_AFTER_DATE = re.compile(
    r"[\s,]+(?:(?:at|around|about|t)\s?)*"
    r"(?:\d{1,2}[:.h]\d\d(?::\d\d(?:\.\d+)?)?(?:\s?[ap]\.?m\.?)?|\d{1,2}\s?[ap]\.?m\.?)(?:\s?z|\s?[+-]\d\d:\d\d)?$"
)
_ISO = re.compile(r"(?P<year>\d{4})\s?(?P<mark>[-/.])\s?(?P<month>\d{1,2})\s?(?P=mark)\s?(?P<day>\d{1,2})(?:t.*)?")
_COMPACT = re.compile(r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)")
_FIGURES = re.compile(
    r"(?P<one>\d{1,2})\s?(?P<mark>[-/.])\s?(?P<two>\d{1,2})(?:\s?(?P=mark)\s?(?P<year>\d{4}|'?\d\d))?"
)
_DAY_MONTH = re.compile(
    r"(?P<day>\d{1,2})\s?(?:st|nd|rd|th)?[\s.-]*(?:day\s)?(?:of\s)?(?P<month>[a-z]{3,9})\b[\s.,-]*"
    r"(?:of\s)?(?P<year>\d{4}|['’]?\d\d)?"
)
_MONTH_DAY = re.compile(
    r"(?P<month>[a-z]{3,9})[\s.-]*(?:the\s)?(?P<day>\d{1,2})\s?(?:st|nd|rd|th)?(?:[\s.,-]+(?P<year>\d{4}|['’]?\d\d))?"
)
_ORDINALS = re.findall(
    r"\w+",
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth",
)
_ORDINAL = {word: i for i, word in enumerate(_ORDINALS, start=1)} | {"thirtieth": 30, "thirty-first": 31}
_ORDINAL |= {f"twenty-{word}": 20 + i for word, i in list(_ORDINAL.items())[:9]}
_IN_WORDS = re.compile("|".join(sorted((re.sub("-", "[- ]", word) for word in _ORDINAL), key=len, reverse=True)))
_LIKE_FIGURES = str.maketrans("oil|sb", "011158")
_LOOK_ALIKE = (("rn", "m"), ("v", "y"), ("c", "e"), ("ii", "u"), ("t", "l"))
_LIKE_LETTERS = str.maketrans("01", "ol")
_PIECE = re.compile(r"[a-z0-9|]+")
_SEVERAL = re.compile(r"\b(?:or|and|to|until|till|through|between|vs)\b|[&→…]|(?<=\d)\s?–")


def read_date(
    surface: str, anchor: date | None = None, day_first: bool = False, thorough: bool = True
) -> date | Refusal:
    """The single day that a surface names.

    `5/12/2026` is 12 May unless `day_first`; with dots (`5.12.2026`) the day is always first. A day without a year,
    or one that counts from another, needs the anchor.

    Args:
        surface: White space collapsed.
        anchor: The day that `yesterday` and `4 May` count from.
        day_first: Whether `5/12/2026` is 5 December.
        thorough: Whether to try dateparser when no pattern fits: 0.5 ms instead of 10 µs.
    """
    text = surface.lower().strip(" \t.,;:()[]\"'“”")
    read = _by_patterns(text, anchor, day_first)
    if read is None:
        mended = _without_scan_errors(text)
        read = _by_patterns(mended, anchor, day_first) if mended != text else None
    if read is None and _VAGUE.fullmatch(text):
        read = Refusal(f"{shown(surface)} names no single day")
    if read is None and thorough and len(text) <= 60 and not _SEVERAL.search(text):
        read = _by_dateparser(text, anchor, day_first)
    return Refusal(f"no date in {shown(surface)}") if read is None else read


def _by_patterns(text: str, anchor: date | None, day_first: bool) -> date | Refusal | None:
    plain = _BEFORE_DATE.sub("", _TIME_AFTER_DATE.sub("", text))
    iso = _ISO.fullmatch(plain) or _COMPACT.fullmatch(plain)
    if iso:
        return _checked(int(iso["year"]), int(iso["month"]), int(iso["day"]), text)
    figures = _FIGURES.fullmatch(plain)
    if figures:
        if figures["year"] is None and figures["mark"] == "-":
            return None
        one, two = int(figures["one"]), int(figures["two"])
        swap = one > 12 or (two <= 12 and (day_first or figures["mark"] == "."))
        return _dated(figures["year"], *((two, one) if swap else (one, two)), anchor, text)
    plain = _IN_WORDS.sub(lambda word: str(_ORDINAL[word.group().replace(" ", "-")]), plain)
    for pattern in (_DAY_MONTH, _MONTH_DAY):
        named = pattern.fullmatch(plain)
        if named and named["month"] in MONTH_OF:
            return _dated(named["year"], MONTH_OF[named["month"]], int(named["day"]), anchor, text)
    return _relative(text, anchor)


def _relative(text: str, anchor: date | None) -> date | Refusal | None:
    text = text.removeprefix("on ").removeprefix("since ")
    if anchor is not None:
        return read_relative(text, anchor)
    if read_relative(text, date(2001, 1, 1)) is not None:
        return Refusal(f"{shown(text)} counts from another date, and that is not known", needs_anchor=True)
    return None


def _dated(year: str | None, month: int, day: int, anchor: date | None, text: str) -> date | Refusal:
    if year is not None:
        return _checked(full_year(year), month, day, text)
    if anchor is None:
        return Refusal(f"{shown(text)} says no year", needs_anchor=True)
    found = without_year(month, day, anchor)
    return Refusal(f"{shown(text)} is no day of the calendar") if found is None else found


def _checked(year: int, month: int, day: int, text: str) -> date | Refusal:
    found = day_of(year, month, day)
    return Refusal(f"{shown(text)} is no day of the calendar") if found is None else found


def _without_scan_errors(text: str) -> str:
    """The text with digits and letters that a scanner confused put right, and months spelt correctly."""

    def mend(match: re.Match[str]) -> str:
        piece = match.group()
        if piece.isdigit() or piece in MONTH_OF:
            return piece
        figures = re.sub("(?:st|nd|rd|th)$", "", piece).translate(_LIKE_FIGURES)
        if figures.isdigit() and any(char.isdigit() for char in piece):
            return figures
        letters = piece.translate(_LIKE_LETTERS)
        spelt = (letters.replace(seen, meant) for seen, meant in (("", ""), *_LOOK_ALIKE))
        known = next((word for word in spelt if word in MONTH_OF or word in WEEKDAY_OF), None)
        if known is not None:
            return known
        near = get_close_matches(letters, MONTHS, n=1, cutoff=0.75) if len(letters) > 3 else []
        return near[0] if near else piece

    return _PIECE.sub(mend, text)


def _by_dateparser(text: str, anchor: date | None, day_first: bool) -> date | Refusal | None:
    """Parse with two base dates; if they differ, the date is relative."""
    if anchor is not None:
        return _dateparser(text, anchor, day_first, absolute=False)
    day = _dateparser(text, date(2001, 1, 1), day_first, absolute=True)
    if day is not None and day == _dateparser(text, date(2014, 10, 16), day_first, absolute=True):
        return day
    if _dateparser(text, date(2001, 1, 1), day_first, absolute=False) is not None:
        return Refusal(f"{shown(text)} counts from another date, and that is not known", needs_anchor=True)
    return None


def _dateparser(text: str, base: date, day_first: bool, absolute: bool) -> date | None:
    import dateparser

    settings: dict[str, Any] = {
        "RELATIVE_BASE": datetime(base.year, base.month, base.day),
        "PREFER_DATES_FROM": "past",
        "DATE_ORDER": "DMY" if day_first else "MDY",
        "TIMEZONE": "UTC",
        "RETURN_AS_TIMEZONE_AWARE": False,
        "REQUIRE_PARTS": ["day", "month"],
        "STRICT_PARSING": absolute,
        "PARSERS": ["absolute-time"] if absolute else ["relative-time", "absolute-time"],
    }
    try:
        found = dateparser.parse(text, languages=["en"], settings=settings)
    except (ValueError, OverflowError, RecursionError):
        return None
    return None if found is None else found.date()


_BEFORE_TIME = re.compile(
    r"^(?:(?:at|around|about|approx(?:\.|imately)?|roughly|circa|ca\.?|~|some|exactly|nearly|almost|by|"
    r"(?:just|shortly) (?:before|after)|the)\s*)+(?=[\w~])"
)
_HALF_OF_DAY = re.compile(
    r"[\s,]*(?P<half>[ap]\.?\s?m\b\.?|at night|tonight|(?:that|last) night"
    r"|(?:(?:in|of)\s)?(?:the |this |that )?(?:early |late )?(?:morning|afternoon|evening))[\s.,]*$"
)
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:\s?[:.h]\s?(?P<minute>\d\d)(?:[:.]\d\d)?)?(?P<unit>\s?(?:h|hrs?|hours|uhr|o['’ ]?clock))?\.?"
)
_MILITARY = re.compile(r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)\s?(?:h|hrs?|hours)?\.?")
_MINUTES_PAST = re.compile(
    r"(?P<minutes>half|(?:a )?quarter|[\w-]+)(?: minutes?| mins?\.?)? "
    r"(?P<way>past|after|to|before|of|till) (?P<hour>[\w-]+)"
)
_NAMED_TIMES = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0), "high noon": (12, 0), "12 noon": (12, 0)}
_NAMED_TIMES |= {"12 midnight": (0, 0)}


def read_time(surface: str) -> str | Refusal:
    """A time of day as `14:05`. Without `pm` or the like, hours are taken as they are written."""
    text = surface.lower().strip(" \t.,;:()[]\"'").replace("’", "'")
    text = _BEFORE_TIME.sub("", text)
    half = _HALF_OF_DAY.search(text)
    clock = text[: half.start()] if half else text
    read = _clock_time(clock.strip(" ,"), half is not None)
    if read is None:
        return Refusal(f"no time of day in {shown(surface)}")
    hour, minute = read
    if half is not None:
        hour = _in_half(hour, half["half"])
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        return Refusal(f"{shown(surface)} is no time of day")
    return f"{hour:02d}:{minute:02d}"


def _clock_time(text: str, has_half: bool) -> tuple[int, int] | None:
    if text in _NAMED_TIMES:
        return _NAMED_TIMES[text]
    military = _MILITARY.fullmatch(text)
    if military:
        return int(military["hour"]), int(military["minute"])
    clock = _CLOCK.fullmatch(text)
    if clock:
        bare = clock["minute"] is None and clock["unit"] is None
        return None if bare and not has_half else (int(clock["hour"]), int(clock["minute"] or 0))
    past = _MINUTES_PAST.fullmatch(text)
    return _minutes_past(past) if past else _spoken(text, has_half)


def _minutes_past(past: re.Match[str]) -> tuple[int, int] | None:
    """`quarter to five`, `ten past two`."""
    named = {"half": 30, "quarter": 15, "a quarter": 15}
    minutes = named.get(past["minutes"]) or _whole(past["minutes"])
    hour = _NAMED_TIMES[past["hour"]][0] if past["hour"] in _NAMED_TIMES else _whole(past["hour"])
    if minutes is None or hour is None or minutes > 59:
        return None
    if past["way"] in ("past", "after"):
        return hour, minutes
    return (hour - 1) % 24, 60 - minutes


def _spoken(text: str, has_half: bool) -> tuple[int, int] | None:
    """`seven o'clock`, `two thirty` with a half of the day."""
    words = text.replace("-", " ").split()
    sharp = words[-1:] in (["o'clock"], ["oclock"])
    words = words[:-1] if sharp else words
    if not words or not (sharp or has_half or len(words) > 1):
        return None
    hour, minutes = _whole(words[0]), _whole(" ".join(words[1:])) if words[1:] else 0
    if words[1:2] == ["oh"] or words[1:2] == ["o"]:
        minutes = _whole(" ".join(words[2:]))
    return None if hour is None or minutes is None else (hour, minutes)


def _whole(text: str) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text)
    number = in_words(text)
    return int(number) if number is not None and number == int(number) else None


def _in_half(hour: int, half: str) -> int:
    """An hour of a twelve-hour clock as an hour of 24."""
    if hour > 12 or hour < 0:
        return hour
    if half[:2] in ("am", "a.", "a ") or "morning" in half:
        return hour % 12
    if "night" in half:
        return hour + 12 if 5 < hour < 12 else hour % 12
    return hour % 12 + 12
