"""Numbers as people write them: `85,000 miles`, `1.250,5`, `2.5k`, `twenty-five`."""

from __future__ import annotations

import re

from tailtune.tasks.extraction.values.outcome import Refusal, shown
from tailtune.tasks.extraction.values.words import MULTIPLIERS, NUMBER_WORDS, in_words

_BLANK = " \u00a0\u202f"
DIGITS = rf"[-+−]?(?:\d{{1,3}}(?:[{_BLANK}'’]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|\.\d+)"
"""Digits with their separators, as a pattern."""
_TIMES = "|".join(sorted(MULTIPLIERS, key=len, reverse=True))
NUMBER = re.compile(rf"(?<!\w)(?<!\d[.,])(?P<digits>{DIGITS})(?:[{_BLANK}-]?(?P<times>{_TIMES})\b\.?)?", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}([.,])\d{3}(?:\1\d{3})*")
_INDIAN = re.compile(r"\d{1,2}(?:,\d\d)+,\d{3}")
_TOKEN = re.compile(r"[a-z]+")


def read_number(surface: str, whole: bool) -> list[float] | Refusal:
    """The numbers that a surface may mean, the likeliest first.

    Args:
        surface: White space collapsed. Words around one number (`about`, `miles`) are passed over.
        whole: Whether only whole numbers count: `85.000` is then eighty-five thousand.
    """
    found = list(NUMBER.finditer(surface))
    if len(found) > 1:
        return Refusal(f"more than one number in {shown(surface)}")
    if found:
        times = MULTIPLIERS.get((found[0]["times"] or "").lower(), 1.0)
        read = meanings(found[0]["digits"], whole and times == 1)
        return [round(value * times, 9) for value in read]
    said = words_in(surface)
    return [said] if said is not None else Refusal(f"no single number in {shown(surface)}")


def meanings(digits: str, whole: bool) -> list[float]:
    """What digits with separators may mean, the likeliest first."""
    sign = -1.0 if digits[0] in "-−" else 1.0
    plain = re.sub(rf"[{_BLANK}'’]", "", digits.lstrip("-+−"))
    marks = [char for char in plain if char in ".,"]
    if not marks:
        return [sign * float(plain)]
    decimal = sign * _with_point(plain, marks[-1])
    if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
        return [decimal]
    if _INDIAN.fullmatch(plain) or len(marks) > 1:
        return [sign * float(re.sub("[.,]", "", plain))]
    if _GROUPED.fullmatch(plain) and plain[0] != "0":
        grouped = sign * float(re.sub("[.,]", "", plain))
        return [grouped, decimal] if marks[0] == "," or whole else [decimal, grouped]
    return [decimal]


def words_in(surface: str) -> float | None:
    """The one number in words that stands in a surface; None for none or several."""
    lowered = surface.lower()
    words = [(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(lowered)]
    runs: list[tuple[int, int]] = []
    for word, start, end in words:
        between = lowered[runs[-1][1] : start] if runs else "x"
        glue = between.strip(" -") in ("", "and", "of") and bool(between)
        if word in NUMBER_WORDS:
            if runs and glue:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((start, end))
    read = [in_words(lowered[start:end]) for start, end in runs]
    numbers = [value for value in read if value is not None]
    return numbers[0] if len(numbers) == 1 else None


def _with_point(plain: str, mark: str) -> float:
    """Digits read with their last `mark` as the decimal point."""
    before, _, after = plain.rpartition(mark)
    return float(f"{re.sub('[.,]', '', before) or '0'}.{after or '0'}")
