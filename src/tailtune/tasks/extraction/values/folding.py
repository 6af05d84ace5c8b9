"""Texts without case, accents and the mistakes of scanners, each character knowing where it came from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SCANNED = re.compile("rn|vv|[01|5]")
_MEANT = {"rn": "m", "vv": "w", "0": "o", "1": "l", "|": "l", "5": "s"}


@dataclass(frozen=True, slots=True)
class Folded:
    """One per text and way of folding.

    Attributes:
        text: What is searched.
        places: For each of its characters, where in the original it comes from; ascending.
    """

    text: str
    places: Sequence[int]

    def back(self, start: int, end: int, original: str) -> tuple[int, int]:
        """The stretch of the original that a stretch comes from, marks that follow included; `end` is above `start`."""
        last = self.places[end - 1] + 1
        while last < len(original) and unicodedata.combining(original[last]):
            last += 1
        return self.places[start], last


def fold(text: str) -> Folded:
    """Without case, accents and kinds of white space."""
    if text.isascii():
        return Folded(_spaced(text.lower()), range(len(text)))
    chars: list[str] = []
    places: list[int] = []
    for i, char in enumerate(text):
        for part in _plain(char):
            chars.append(part)
            places.append(i)
    return Folded("".join(chars), places)


def squeezed(folded: Folded) -> Folded:
    """Letters and figures only: ids are written with and without what joins their parts."""
    kept = [i for i, char in enumerate(folded.text) if char.isalnum()]
    return Folded("".join(folded.text[i] for i in kept), [folded.places[i] for i in kept])


def scanned(folded: Folded) -> Folded:
    """With what scanners confuse made one: `rn` and `m`, `0` and `o`, `1` and `l`."""
    parts: list[str] = []
    places: list[int] = []
    reached = 0
    for match in _SCANNED.finditer(folded.text):
        parts += [folded.text[reached : match.start()], _MEANT[match.group()]]
        places += [*folded.places[reached : match.start()], folded.places[match.start()]]
        reached = match.end()
    if not parts:
        return folded
    return Folded("".join([*parts, folded.text[reached:]]), [*places, *folded.places[reached:]])


def _spaced(text: str) -> str:
    return re.sub(r"\s", " ", text)


def _plain(char: str) -> Iterator[str]:
    if char.isspace():
        yield " "
        return
    for part in unicodedata.normalize("NFKD", char):
        if not unicodedata.combining(part):
            yield from part.casefold()
