"""Text of data, stores and servers as a terminal may show it: control characters are spelt out."""

from __future__ import annotations

import re

_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""A text without control characters, other than line ends and tabs, and without marks that turn its direction.

    Each is written as Python writes it (`\x1b`), from 0x7f on with four digits (`\u009b`), which JSON reads, too; so
    is half a surrogate pair, which no file can hold.
    """
    return text if text.isprintable() else _ACTS.sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    character = match[0]
    return character.encode("unicode_escape").decode() if character < "\x7f" else f"\\u{ord(character):04x}"


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters; what was left out is counted."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
