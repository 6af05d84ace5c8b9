"""Text of data, stores and servers as a terminal may show it: control characters are spelt out."""

from __future__ import annotations

import re

_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""A text without control characters, other than line ends and tabs, and without marks that turn its direction.

    Each is written as Python writes it (`\x1b`), and so is half a surrogate pair, which no file can hold.
    """
    if text.isprintable():
        return text
    return _ACTS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters; what was left out is counted."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
