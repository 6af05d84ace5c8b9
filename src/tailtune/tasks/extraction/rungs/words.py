"""Words with their places: what rungs without an encoder see of a text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Words:
    """One per text: runs of letters and digits, and single marks.

    Attributes:
        text: The text.
        starts: Offset of each word's first character.
        ends: Offset after each word's last character.
        forms: Each word case-folded, its digits as 0.
        surfaces: Each word case-folded.
        shapes: How each word is built.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    forms: tuple[str, ...]
    surfaces: tuple[str, ...]
    shapes: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Words:
        """Cut a text into words."""
        found = list(_WORD.finditer(text))
        written = [match.group() for match in found]
        surfaces = tuple(word.casefold() for word in written)
        return cls(
            text,
            tuple(match.start() for match in found),
            tuple(match.end() for match in found),
            tuple(_DIGIT.sub("0", word) for word in surfaces),
            surfaces,
            tuple(shape(word) for word in written),
        )

    def under(self, start: int, end: int) -> tuple[int, int]:
        """Numbers of the first word under a stretch of the text, and of the word after its last one."""
        return bisect_right(self.ends, start), bisect_left(self.starts, end)

    def __len__(self) -> int:
        return len(self.starts)


@lru_cache(maxsize=65_536)
def shape(word: str) -> str:
    """How a word is built: digits as 0, one each; a run of capitals as A, of other letters as a; marks as they are.

    `Main` → `Aa`, `AB1234` → `A0000`, `2.5k` is three words.
    """
    runs: list[str] = []
    for char in word:
        kind = "0" if char.isdecimal() else "A" if char.isupper() else "a" if char.isalpha() else char
        if kind == "0" or runs[-1:] != [kind]:
            runs.append(kind)
    return "".join(runs)
