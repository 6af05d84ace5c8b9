"""What dates, times, amounts, phone numbers, e-mail addresses and numbers look like, whoever writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tailtune.tasks.extraction.schema import Kind

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"(?:[0-3]?\d)(?:st|nd|rd|th)?"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_COUNT = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_NUMBER = r"\d{1,3}(?:[.,' ]\d{3}){1,3}(?:[.,]\d{1,2})?|\d{1,12}(?:[.,]\d{1,6})?"
_CURRENCY = r"(?:[$€£]|\b(?:usd|eur|gbp|dollars?|euros?|pounds?|bucks)\b)"
_AMOUNT = rf"(?:{_NUMBER})(?:\s?(?:k|thousand|m|million)\b)?"

_PATTERNS: Mapping[Kind, tuple[str, ...]] = {
    "date": (
        r"\b\d{4}-\d\d?-\d\d?\b",
        r"\b\d\d?[/.]\d\d?[/.](?:\d{4}|\d\d)\b",
        rf"\b{_DAY}(?: of)? {_MONTH}(?:,? \d{{4}})?\b",
        rf"\b{_MONTH} {_DAY}(?:,? \d{{4}})?\b",
        r"\b(?:the day before yesterday|the day after tomorrow|yesterday|today|tomorrow|tonight)\b",
        rf"\b(?:last|this|next|on)? ?{_WEEKDAY}\b",
        r"\b(?:last|this|next) (?:night|morning|week|month|year)\b",
        rf"\b{_COUNT} (?:day|week|month)s? (?:ago|later|before|from now)\b",
    ),
    "time": (
        r"\b\d{1,2}[:.h]\d\d(?: ?[ap]\.?m\b\.?)?",
        r"\b\d{1,2} ?[ap]\.?m\b\.?",
        r"\b(?:noon|midday|midnight)\b",
        rf"\b{_COUNT} o['’]clock\b",
    ),
    "money": (
        rf"{_CURRENCY}\s?{_AMOUNT}",
        rf"\b{_AMOUNT}\s?{_CURRENCY}",
        rf"\b(?:[a-z]+ )?(?:hundred|thousand) {_CURRENCY}",
    ),
    "phone": (r"(?<!\w)\+?\(?\d[\d ()./-]{6,18}\d\b",),
    "email": (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}",),
    "number": (rf"(?<![\w.,])(?:{_NUMBER})(?![\w])", rf"\b{_COUNT}\b"),
    "integer": (rf"(?<![\w.,])(?:{_NUMBER})(?![\w])", rf"\b{_COUNT}\b"),
}
_COMPILED = {kind: tuple(re.compile(one, re.IGNORECASE) for one in several) for kind, several in _PATTERNS.items()}
FINDABLE: frozenset[Kind] = frozenset(_PATTERNS)
"""Kinds of field that are looked for by how they look."""


def find(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Stretches (start, end) of a text that look like a kind, each way of writing apart; they may overlap."""
    for pattern in _COMPILED.get(kind, ()):
        for match in pattern.finditer(text):
            yield match.span()
