"""One spelling for what looks the same: Unicode NFC, no invisible characters, single spaces."""

from __future__ import annotations

import re
import unicodedata
from itertools import chain, groupby

# Controls, soft hyphens, zero-width spaces and bidirectional marks. The zero-width joiner and non-joiner stay:
# emoji, Persian and Indic scripts are spelt with them. \t \n \v \f \r \x1c-\x1f \x85 are white space.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_HALF_PAIR = re.compile("[\ud800-\udfff]")
# Combining marks are no \w. Words have a few in a row; only long runs are worth a look.
_MANY_MARKS = re.compile(r"[^\w\x00-\x7f]{64,}")


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """Normalise a text. Cleaning a clean text changes nothing.

    Every run of white space becomes one space, line breaks too: classifiers of short texts do not read layout,
    and two copies of a text that differ in wrapping are the same text.

    Returns:
        The text, and what was changed: of `control`, `unicode`, `whitespace`.
    """
    changes = []
    if not text.isprintable():
        visible = _INVISIBLE.sub("", text)
        if visible != text:
            changes.append("control")
        text = visible
    if not text.isascii():
        whole = _HALF_PAIR.sub("\ufffd", text)
        composed = unicodedata.normalize("NFC", _MANY_MARKS.sub(_in_order, whole))
        if composed != text:
            changes.append("unicode")
        text = composed
    single = " ".join(text.split())
    if single != text:
        changes.append("whitespace")
    return single, tuple(changes)


def _in_order(run: re.Match[str]) -> str:
    """A run with its combining marks in canonical order, as NFC puts them.

    Python's own ordering is an insertion sort: 40,000 marks in the wrong order would take seconds.
    """
    apart = chain.from_iterable(unicodedata.normalize("NFD", char) for char in run.group())
    groups = groupby(apart, lambda char: unicodedata.combining(char) > 0)
    return "".join("".join(sorted(chars, key=unicodedata.combining) if marks else chars) for marks, chars in groups)
