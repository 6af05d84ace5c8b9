"""Times of day to `14:05`."""

from __future__ import annotations

import re

from tailtune.tasks.extraction.values.outcome import Refusal, shown
from tailtune.tasks.extraction.values.words import in_words

_BEFORE = re.compile(
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
_PAST = re.compile(
    r"(?P<minutes>half|(?:a )?quarter|[\w-]+)(?: minutes?| mins?\.?)? "
    r"(?P<way>past|after|to|before|of|till) (?P<hour>[\w-]+)"
)
_NAMED = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0), "high noon": (12, 0), "12 noon": (12, 0)}
_NAMED |= {"12 midnight": (0, 0)}


def read_time(surface: str) -> str | Refusal:
    """A time of day as `14:05`. Without `pm` or the like, hours are taken as they are written."""
    text = surface.lower().strip(" \t.,;:()[]\"'").replace("’", "'")
    text = _BEFORE.sub("", text)
    half = _HALF_OF_DAY.search(text)
    clock = text[: half.start()] if half else text
    read = _read(clock.strip(" ,"), half is not None)
    if read is None:
        return Refusal(f"no time of day in {shown(surface)}")
    hour, minute = read
    if half is not None:
        hour = _in_half(hour, half["half"])
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        return Refusal(f"{shown(surface)} is no time of day")
    return f"{hour:02d}:{minute:02d}"


def _read(text: str, has_half: bool) -> tuple[int, int] | None:
    if text in _NAMED:
        return _NAMED[text]
    military = _MILITARY.fullmatch(text)
    if military:
        return int(military["hour"]), int(military["minute"])
    clock = _CLOCK.fullmatch(text)
    if clock:
        bare = clock["minute"] is None and clock["unit"] is None
        return None if bare and not has_half else (int(clock["hour"]), int(clock["minute"] or 0))
    past = _PAST.fullmatch(text)
    return _counted(past) if past else _spoken(text, has_half)


def _counted(past: re.Match[str]) -> tuple[int, int] | None:
    """`quarter to five`, `ten past two`."""
    named = {"half": 30, "quarter": 15, "a quarter": 15}
    minutes = named.get(past["minutes"]) or _whole(past["minutes"])
    hour = _NAMED[past["hour"]][0] if past["hour"] in _NAMED else _whole(past["hour"])
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
    said = in_words(text)
    return int(said) if said is not None and said == int(said) else None


def _in_half(hour: int, half: str) -> int:
    """The hour of 24 that an hour in a half of the day is."""
    if hour > 12 or hour < 0:
        return hour
    if half[:2] in ("am", "a.", "a ") or "morning" in half:
        return hour % 12
    if "night" in half:
        return hour + 12 if 5 < hour < 12 else hour % 12
    return hour % 12 + 12
