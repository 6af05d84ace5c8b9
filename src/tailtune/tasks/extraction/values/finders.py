"""Stretches of a text that look like a date, an amount, a phone number …: found by shape, read by `normalise`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tailtune.tasks.extraction.schema import Kind
from tailtune.tasks.extraction.values.days import MONTH_OF, WEEKDAYS
from tailtune.tasks.extraction.values.money import CURRENCY
from tailtune.tasks.extraction.values.numbers import NUMBER
from tailtune.tasks.extraction.values.words import NUMBER_WORDS

_MONTH = rf"(?:{'|'.join(sorted(MONTH_OF, key=len, reverse=True))})\b\.?"
_WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)}|(?:mon|tues?|wed|thu(?:rs)?|fri|sat|sun)\b\.?)"
_YEAR = r"(?:\d{4}|['’]\d\d|\d\d(?![\d:.]))"
_NTH = r"\d{1,2}\s?(?:st|nd|rd|th)?"
_WORDY = rf"(?:{'|'.join(sorted(NUMBER_WORDS - {'point', 'a', 'an', 'no'}, key=len, reverse=True))})"
_COUNT = rf"(?:\d{{1,3}}|an?|(?:a )?couple(?: of)?|{_WORDY}(?:[ -]{_WORDY})?)"
_DATES = (
    r"\d{4}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{1,2}",
    r"\d{1,2}\s?([-/.])\s?\d{1,2}\s?\1\s?(?:\d{4}|\d\d)",
    rf"(?:{_WEEKDAY},?\s(?:the\s)?)?{_NTH}[\s.-]*(?:of\s)?{_MONTH}(?:[\s,.-]*{_YEAR})?",
    rf"(?:{_WEEKDAY},?\s)?{_MONTH}[\s.-]*(?:the\s)?{_NTH}\b(?:[\s,.-]+{_YEAR})?",
    r"\d{1,2}/\d{1,2}",
    rf"{_COUNT}[\s-](?:day|night|week|fortnight|month|year)s?\s(?:ago|earlier|before|prior|later|after|from now)",
    rf"in\s{_COUNT}\s(?:day|week|month)s?",
    r"(?:the\s)?day\s(?:before\syesterday|after\stomorrow)|yesterday|tomorrow|today|tonight|last\snight",
    rf"(?:(?:last|past|previous|next|coming)\s)?{_WEEKDAY}(?:\s(?:of\s)?(?:last|next)\sweek)?",
    r"this\s(?:morning|afternoon|evening)",
)
_CLOCK_WORDS = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_HALF = r"(?:\s{0,2}[ap]\.?\s?m\b\.?|\s(?:in the|this|that)\s(?:morning|afternoon|evening)|\sat night)"
_TIMES = (
    rf"(?:[01]?\d|2[0-4])\s?[:.h]\s?[0-5]\d(?::[0-5]\d)?(?:\s?(?:hrs?|hours|uhr)\b)?{_HALF}?(?!\d)",
    rf"(?:half|(?:a\s)?quarter|five|ten|twenty|\d{{1,2}})\s(?:minutes\s)?(?:past|to|after)\s(?:{_CLOCK_WORDS}|\d{{1,2}}){_HALF}?",
    rf"(?:\d{{1,2}}|{_CLOCK_WORDS})(?:\s(?:thirty|fifteen|forty-five))?(?:\so['’]?\s?clock{_HALF}?|{_HALF})",
    r"(?:[01]\d|2[0-3])[0-5]\d\s?(?:h|hrs?|hours)\b",
    r"noon|midday|midnight",
)
_IN_WORDS = rf"\b(?:an?\s)?{_WORDY}\b(?:[\s-](?:and\s)?(?:a\s)?{_WORDY}\b){{0,8}}(?:\sof\b)?"
_MONEY = (
    rf"(?:{CURRENCY.pattern})\s{{0,3}}{NUMBER.pattern}",
    rf"{NUMBER.pattern}(?:[.,]-{{1,2}})?\s{{0,3}}(?:{CURRENCY.pattern})",
    rf"{_IN_WORDS}\s(?:{CURRENCY.pattern})",
)


_QUANTITY = rf"(?<!\d[/:-]){NUMBER.pattern}(?![/:-]?\d)"
# Kind → ways of writing, several passes where the second takes only what the first left.
_WAYS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "date": (tuple(rf"(?<!\w)(?<!\d[/.]){way}(?!\w)" for way in _DATES),),
    "time": (tuple(rf"(?<![\w$€£])(?<!\d[:.,]){way}" for way in _TIMES),),
    "money": (_MONEY, (NUMBER.pattern,)),
    "number": ((_QUANTITY,), (_IN_WORDS,)),
    "integer": ((_QUANTITY,), (_IN_WORDS,)),
    "phone": ((r"(?<!\w)\+?\(?\d(?:(?:[ \u00a0().-]{0,3}|/)\d){6,14}(?!\w)",),),
    "email": ((r"[^\s@<>()\[\],;:\"]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",),),
}
_END = re.compile(r"(?<![ap]\.m)(?<![ap]\. m)[\s.,-]+$", re.IGNORECASE)


@cache
def _patterns(kind: Kind) -> tuple[re.Pattern[str], ...]:
    """Compiled at first use, which takes 10 ms. Names of groups would stand twice, so they are taken out."""
    joined = ("|".join(f"(?:{way})" for way in ways) for ways in _WAYS.get(kind, ()))
    return tuple(re.compile(re.sub(r"\(\?P<\w+>", "(?:", way), re.IGNORECASE) for way in joined)


def stretches(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Places that look like a value of a kind, the surest shapes first; nothing for texts, which have no shape.

    Args:
        kind: Of the field.
        text: Any length; time grows linearly with it.

    Yields:
        Start and end of each; no two overlap.
    """
    taken = bytearray(len(text))
    for pattern in _patterns(kind):
        for match in pattern.finditer(text):
            start = match.start()
            end = start + len(_END.sub("", match.group()))
            if start < end and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                yield start, end
