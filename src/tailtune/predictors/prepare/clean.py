"""One spelling for what looks the same: Unicode NFC, no invisible characters, single spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain, groupby

from tailtune.predictors.prepare.moves import Edit, Moves

# Controls, soft hyphens, zero-width spaces and bidirectional marks. The zero-width joiner and non-joiner stay:
# emoji, Persian and Indic scripts are spelt with them. \t \n \v \f \r \x1c-\x1f \x85 are white space.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_HALF_PAIR = re.compile("[\ud800-\udfff]")
# Combining marks are no \w. Words have a few in a row; only long runs are worth a look.
_MANY_MARKS = re.compile(r"[^\w\x00-\x7f]{64,}")
# What is composed, is so within one of these: an ASCII character never joins with what stands before it.
_COMPOSABLE = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
_BLANKS = re.compile(r"\s+")


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """Normalise a text. Cleaning a clean text changes nothing.

    Every run of white space becomes one space, line breaks too: classifiers of short texts do not read layout,
    and two copies of a text that differ in wrapping are the same text.

    Returns:
        The text, and what was changed: of `control`, `unicode`, `whitespace`.
    """
    steps = list(_steps(text))
    return (steps[-1][2] if steps else text), tuple(name for name, _, _ in steps)


def clean_mapped(text: str) -> tuple[str, tuple[str, ...], tuple[Moves, ...]]:
    """As `clean`, and where every character went.

    Returns:
        The text, what was changed, and the moves of spans, to be made in this order.
    """
    steps = list(_steps(text))
    moves = tuple(Moves(_EDITS[name](before, after)) for name, before, after in steps)
    return (steps[-1][2] if steps else text), tuple(name for name, _, _ in steps), moves


def _steps(text: str) -> Iterator[tuple[str, str, str]]:
    """Each change that there is: its name, the text before and after."""
    if not text.isprintable():
        visible = _INVISIBLE.sub("", text)
        if visible != text:
            yield "control", text, visible
        text = visible
    if not text.isascii():
        composed = _composed(_HALF_PAIR.sub("\ufffd", text))
        if composed != text:
            yield "unicode", text, composed
        text = composed
    single = " ".join(text.split())
    if single != text:
        yield "whitespace", text, single


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", _MANY_MARKS.sub(_in_order, text))


def _in_order(run: re.Match[str]) -> str:
    """A run with its combining marks in canonical order, as NFC puts them.

    Python's own ordering is an insertion sort: 40,000 marks in the wrong order would take seconds.
    """
    apart = chain.from_iterable(unicodedata.normalize("NFD", char) for char in run.group())
    groups = groupby(apart, lambda char: unicodedata.combining(char) > 0)
    return "".join("".join(sorted(chars, key=unicodedata.combining) if marks else chars) for marks, chars in groups)


def _removed(before: str, after: str) -> Iterator[Edit]:
    for match in _INVISIBLE.finditer(before):
        yield Edit(match.start(), match.end(), "")


def _joined(before: str, after: str) -> Iterator[Edit]:
    """What NFC changed, cluster by cluster. Halves of pairs are replaced one for one and move nothing."""
    whole = _HALF_PAIR.sub("\ufffd", before)
    for match in _COMPOSABLE.finditer(whole):
        if not unicodedata.is_normalized("NFC", match.group()):
            at = match.start()
            for cluster in _clusters(match.group()):
                new = _composed(cluster)
                if new != cluster:
                    yield Edit(at, at + len(cluster), new)
                at += len(cluster)


def _clusters(text: str) -> Iterator[str]:
    """The shortest stretches that can be composed on their own: a character and what joins with it."""
    start = 0
    for i in range(1, len(text)):
        if _begins(text[i]) and not _joins(_composed(text[start:i]), text[i]):
            yield text[start:i]
            start = i
    yield text[start:]


def _begins(char: str) -> bool:
    """Whether a character is no mark, and does not decompose into one."""
    return unicodedata.combining(unicodedata.normalize("NFD", char)[0]) == 0


def _joins(before: str, char: str) -> bool:
    return unicodedata.normalize("NFC", before + char) != before + unicodedata.normalize("NFC", char)


def _collapsed(before: str, after: str) -> Iterator[Edit]:
    for match in _BLANKS.finditer(before):
        edge = match.start() == 0 or match.end() == len(before)
        new = "" if edge else " "
        if match.group() != new:
            yield Edit(match.start(), match.end(), new)


_EDITS = {"control": _removed, "unicode": _joined, "whitespace": _collapsed}
