"""How a word is written: what an uncased encoder throws away, and names, codes and OCR noise are told by.

On SNIPS an embedding of these kinds, added to the encoder's own, was worth more than any other change to the model
(benchmarks/extraction_snips.py).
"""

from __future__ import annotations

NONE, LOWER, CAPITAL, UPPER, MIXED, DIGITS, CODE, MARK = range(8)
KINDS = 8
"""`[CLS]` and the like; `word`; `Word` or `W`; `WORD`; `wOrd`; `123`; `A12`; `-`."""


def kind_of(word: str) -> int:
    """The kind of one word, 1 to 7; scripts without case count as lower.

    Args:
        word: As it stands in the text, not empty.
    """
    if word.isalpha():
        if word == word.lower():
            return LOWER
        if word[0].isupper() and word[1:] == word[1:].lower():
            return CAPITAL
        return UPPER if word.isupper() else MIXED
    if word.isdecimal():
        return DIGITS
    return CODE if word[0].isalnum() else MARK
