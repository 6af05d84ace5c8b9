"""Numbers in English words: `twelve hundred`, `two and a half`, `a dozen`."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z]+")
_UNITS = _WORD.findall(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = _WORD.findall("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL: dict[str, float] = {word: i for i, word in enumerate(_UNITS)}
_SMALL |= {word: 10 * i for i, word in enumerate(_TENS, start=2)}
_SMALL |= {"a": 1, "an": 1, "no": 0, "fourty": 40}
_SCALES: dict[str, float] = {"thousand": 1e3, "grand": 1e3, "million": 1e6, "billion": 1e9}
MULTIPLIERS: dict[str, float] = {"hundred": 100.0, "k": 1e3, "tsd": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "bn": 1e9}
MULTIPLIERS |= _SCALES
"""What may stand after digits, and what it makes of them."""
_WHOLE = re.compile(r"[a-z\s-]+")
_PARTS = ("half", "quarter", "dozen", "couple")
NUMBER_WORDS = frozenset(_SMALL) | frozenset(_SCALES) | {"hundred", "half", "dozen", "couple", "quarter", "point"}


def in_words(text: str) -> float | None:
    """The number that a text of number words and nothing else says.

    Args:
        text: Lower case.

    Returns:
        None when any other word stands in it, or no number comes of it.
    """
    if not _WHOLE.fullmatch(text):
        return None
    words = [word for word in _WORD.findall(text) if word not in ("and", "of")]
    if not words or (len(words) == 1 and words[0] in ("a", "an", "no")):
        return None
    if "point" in words:
        at = words.index("point")
        return _pointed(words[:at], words[at + 1 :])
    return _sum(words)


def _pointed(whole: list[str], digits: list[str]) -> float | None:
    scale = 1.0
    while digits and (digits[-1] in _SCALES or digits[-1] == "hundred"):
        scale *= MULTIPLIERS[digits.pop()]
    read = [_SMALL.get(word, 10) for word in digits]
    before = _sum(whole) if whole else 0.0
    if before is None or not read or max(read) > 9:
        return None
    return float(f"{int(before)}.{''.join(str(int(digit)) for digit in read)}") * scale


def _sum(words: list[str]) -> float | None:
    total = current = 0.0
    last = 1e12  # `two three` is no number: what is added must be smaller than what stands
    for i, word in enumerate(words):
        if word in _SMALL:
            value = _SMALL[word]
            if word in ("a", "an") and words[i + 1 : i + 2] and (current or words[i + 1] in _PARTS):
                continue
            if value and last < 100 and not (last >= 20 and value < 10):
                return None
            current, last = current + value, max(value, 1)
        elif word in ("half", "quarter"):
            current, last = current + (0.5 if word == "half" else 0.25), 1
        elif word in ("dozen", "couple"):
            current, last = (current or 1) * (12 if word == "dozen" else 2), 1
        elif word == "hundred":
            current, last = (current or 1) * 100, 100
        elif word in _SCALES:
            total, current, last = total + (current or 1) * _SCALES[word], 0.0, 1e12
        else:
            return None
    return total + current
