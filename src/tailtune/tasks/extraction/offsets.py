"""Which unit the span offsets of a file count: characters, or UTF-16 code units as JavaScript tools count them.

The two differ only after a character beyond U+FFFF, such as an emoji. One row may fit either way by chance, so every
row of a file votes before the first of them is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from tailtune.core.records import Span
from tailtune.services.sources import RawRow
from tailtune.tasks.extraction.annotate import RawLabel
from tailtune.tasks.extraction.values.checks import counts_bytes, fits_words, from_utf16

FileUnit = Literal["characters", "utf16", "mixed"]
_CLEAR = 0.9  # of the votes must agree, or the file counts as mixed

NOTES: dict[FileUnit, str] = {
    "utf16": "offsets count UTF-16 code units, as JavaScript does; curation converts them to characters",
    "mixed": "offsets count UTF-16 code units in some rows and characters in others; rows that fit both are dropped",
}
"""What a person is told about a file whose offsets do not all count characters."""


def resolve(rows: Callable[[], Iterator[RawRow[RawLabel]]]) -> Iterator[RawRow[RawLabel]]:
    """The rows of a file, each with the unit that its offsets count in.

    Args:
        rows: Opens the file; called twice, once for the votes.
    """
    return with_units(rows(), file_unit(rows()))


def file_unit(rows: Iterable[RawRow[RawLabel]]) -> FileUnit:
    """The unit that the offsets of most rows fit; characters where no row can tell."""
    votes = Counter(vote(row.text, row.label, from_utf16(row.text, row.label.spans)) for row in rows)
    utf16, characters = votes["utf16"], votes["characters"]
    if not utf16 or characters >= _CLEAR * (utf16 + characters):
        return "characters"
    return "utf16" if utf16 >= _CLEAR * (utf16 + characters) else "mixed"


def with_units(rows: Iterable[RawRow[RawLabel]], unit: FileUnit) -> Iterator[RawRow[RawLabel]]:
    """Rows whose labels say which unit their offsets count in: `unclear` where row and file contradict each other."""
    for row in rows:
        label = row.label
        meant = from_utf16(row.text, label.spans)
        if label.spans == meant or (meant is None and _outside(row.text, label.spans)):
            yield row  # both units mean the same place, or neither lies in the text
            continue
        own = vote(row.text, label, meant)
        if unit == "mixed":
            chosen = own or "unclear"
        else:
            chosen = unit if own in (unit, None) and (meant is not None or unit == "characters") else "unclear"
        yield row if chosen == "characters" else replace(row, label=replace(label, unit=chosen))


def vote(text: str, label: RawLabel, meant: Sequence[Span] | None) -> Literal["characters", "utf16"] | None:
    """The one unit in which a row's spans cover whole words, or its own values; None where both do, or neither.

    Args:
        text: The row's.
        label: Its spans and values.
        meant: The places of the spans if they count in UTF-16; None if one lies between two characters.
    """
    spans = label.spans
    if spans == meant:
        return None
    in_characters, in_utf16 = fits_words(text, spans), meant is not None and fits_words(text, meant)
    if in_characters == in_utf16:
        in_characters, in_utf16 = _says(text, spans, label), meant is not None and _says(text, meant, label)
    if in_characters == in_utf16:
        return None
    if in_characters:
        return "characters"
    return None if counts_bytes(text, spans) and not _says(text, meant or (), label) else "utf16"


def _outside(text: str, spans: Sequence[Span]) -> bool:
    length = sum(1 + (ord(char) > 0xFFFF) for char in text)
    return any(not 0 <= offset <= length for span in spans for offset in (span.start, span.end))


def _says(text: str, spans: Sequence[Span], label: RawLabel) -> bool:
    """Whether spans cover exactly the values that the row gives for their fields; False where it gives none."""
    pairs = [(span.of(text), label.labelled[span.label]) for span in spans if span.label in label.labelled]
    return bool(pairs) and all(
        surface in (map(str, value) if isinstance(value, list) else (str(value),)) for surface, value in pairs
    )
