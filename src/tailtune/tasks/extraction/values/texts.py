"""Texts, ids, choices and yes / no: what is written is the value, in the field's own writing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations

OUTER = " \t\n.,;:!?()[]{}<>\"'“”‘’«»„#*|_-–—/\\"
_JOIN = re.compile(r"[\s\-_./\\:#–—]+")
_LONGEST_ID = 20
_LONGEST_LABELLED = 80  # an id and the words before it
_YES = frozenset(re.findall(r"\S+", "yes y true 1 ja affirmative yep yeah x ✓ ✔"))
_NO = frozenset(re.findall(r"\S+", "no n false 0 none nein not negative nope"))


def tidy(text: str) -> str:
    """White space collapsed, and NFC: one spelling for what looks the same."""
    single = " ".join(text.split())
    return single if single.isascii() else unicodedata.normalize("NFC", single)


def text_forms(surface: str, upper: bool, dashed: bool = False) -> Iterator[str]:
    """A text as it is, then in ever plainer forms, for the first that is valid.

    Args:
        surface: White space collapsed.
        upper: An id (`x-normal: upper`): upper case; blanks and dashes removed or put in where only that is valid.
        dashed: Whether the id may hold dashes: one or two are then tried in every place.
    """
    if not upper:
        yield surface
        yield surface.strip(OUTER)
        return
    text = surface.upper()
    plain = text.strip(OUTER)
    yield text
    yield plain
    if len(plain) > _LONGEST_LABELLED:
        return
    parts = [part for part in _JOIN.split(plain) if part]
    whole = "".join(parts)
    yield whole
    yield "-".join(parts)
    yield re.sub(r"\s+", "", plain)
    yield "-".join(re.findall(r"[^\W\d_]+|\d+", whole))
    # `PR 2026 4417`, whose label stands before it: what follows the first parts alone.
    for i in range(1, len(parts)):
        yield "-".join(parts[i:])
        yield "".join(parts[i:])
    if dashed and len(whole) <= _LONGEST_ID:
        for i in range(1, len(whole)):
            yield f"{whole[:i]}-{whole[i:]}"
        for i, j in combinations(range(1, len(whole)), 2):
            yield f"{whole[:i]}-{whole[i:j]}-{whole[j:]}"


def folded(text: str) -> str:
    """Case, blanks and the signs that join words are no difference."""
    return _JOIN.sub(" ", text.casefold()).strip(OUTER)


def chosen(surface: str, choices: tuple[str, ...]) -> str | None:
    """The choice that a surface names; None when it names none."""
    if surface in choices:
        return surface
    wanted = folded(surface)
    return next((choice for choice in choices if folded(choice) == wanted), None)


def yes_or_no(surface: str) -> bool | None:
    """What a word for yes or no says; None for any other."""
    word = surface.casefold().strip(OUTER) or surface.strip()
    return True if word in _YES else False if word in _NO else None
