"""Which unit the span offsets of a file count: characters, or UTF-16 code units as JavaScript tools count them.

The two differ only after a character beyond U+FFFF, such as an emoji. One row may fit either way by chance, so every
row of a file votes before the first of them is read. Where words have no edges, as in Chinese, Japanese or Thai, a row
votes for the unit in which its spans cover what spans of other rows cover for certain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from tailtune.core.records import Span
from tailtune.services.sources import RawRow
from tailtune.tasks.extraction.annotate import RawLabel
from tailtune.tasks.extraction.values.checks import counts_bytes, fits_words, from_utf16

Unit = Literal["characters", "utf16"]
FileUnit = Literal[Unit, "mixed", "unclear"]
_CLEAR = 0.9  # of the votes must agree, or the file counts as mixed
_COMPARED_ROWS, _KNOWN_SURFACES = 5_000, 100_000  # kept in memory at most

NOTES: dict[FileUnit, str] = {
    "utf16": "offsets count UTF-16 code units, as JavaScript does; curation converts them to characters",
    "mixed": "offsets count UTF-16 code units in some rows and characters in others; rows that fit both are dropped",
    "unclear": "nothing shows whether offsets count characters or UTF-16 code units; rows that fit neither are dropped"
    " (values of the fields beside the spans would show it)",
}
"""What a person is told about a file whose offsets do not all count characters."""


def resolve(rows: Callable[[], Iterator[RawRow[RawLabel]]]) -> Iterator[RawRow[RawLabel]]:
    """The rows of a file, each with the unit that its offsets count in.

    Args:
        rows: Opens the file; called twice, once for the votes.
    """
    return with_units(rows(), file_unit(rows()))


def file_unit(rows: Iterable[RawRow[RawLabel]]) -> FileUnit:
    """The unit that the offsets of most rows fit; characters where no row can tell and all fit as they are."""
    votes: Counter[Unit | None] = Counter()
    possible: Counter[Unit | None] = Counter()
    known: set[tuple[str, str]] = set()
    either: list[_Either] = []
    for row in rows:
        text, spans = row.text, row.label.spans
        meant = from_utf16(text, spans)
        own = vote(text, row.label, meant)
        votes[own] += 1
        possible[_only_possible(text, spans, meant)] += 1
        if len(known) < _KNOWN_SURFACES:
            both = zip(spans, meant or (), strict=False)
            known.update((span.label, span.of(text)) for span, other in both if span == other)
        if own is None and meant is not None and spans != meant and len(either) < _COMPARED_ROWS:
            either.append(_Either(_surfaces(text, spans), _surfaces(text, meant), fits_words(text, spans)))
    votes.update(row.known_in(known) for row in either)
    otherwise: FileUnit = "characters" if all(row.fits for row in either) else "unclear"
    return _clear(votes) or _clear(possible) or otherwise


def _clear(votes: Counter[Unit | None]) -> FileUnit | None:
    """The unit that most votes are for, mixed where too many are for the other; None when nobody voted."""
    units: tuple[Unit, Unit] = ("characters", "utf16")
    cast = sum(votes[unit] for unit in units)
    return next((unit for unit in units if votes[unit] >= _CLEAR * cast), "mixed") if cast else None


@dataclass(frozen=True, slots=True)
class _Either:
    """One per row whose own spans cannot tell the unit.

    Attributes:
        characters: Field and text of each span, counted in characters.
        utf16: The same, counted in UTF-16 code units.
        fits: Whether its spans, counted in characters, begin and end at edges of words.
    """

    characters: Sequence[tuple[str, str]]
    utf16: Sequence[tuple[str, str]]
    fits: bool

    def known_in(self, known: Set[tuple[str, str]]) -> Unit | None:
        """The unit in which more of its spans cover what a field is known to have elsewhere."""
        characters, utf16 = (sum(pair in known for pair in pairs) for pairs in (self.characters, self.utf16))
        if characters == utf16:
            return None
        return "characters" if characters > utf16 else "utf16"


def _surfaces(text: str, spans: Sequence[Span]) -> list[tuple[str, str]]:
    return [(span.label, span.of(text)) for span in spans]


def _only_possible(text: str, spans: Sequence[Span], meant: Sequence[Span] | None) -> Unit | None:
    """The one unit in which all offsets lie in the text, and none within a character; None where both, or neither."""
    if spans == meant:  # both mean the same places, also where these lie outside of a text
        return None
    inside = all(0 <= span.start <= span.end <= len(text) for span in spans)
    if inside == (meant is not None):
        return None
    return "characters" if inside else "utf16"


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
        elif unit == "unclear":
            chosen = own or ("characters" if fits_words(row.text, label.spans) else "unclear")
        else:
            chosen = unit if own in (unit, None) and (meant is not None or unit == "characters") else "unclear"
        yield row if chosen == "characters" else replace(row, label=replace(label, unit=chosen))


def vote(text: str, label: RawLabel, meant: Sequence[Span] | None) -> Unit | None:
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
    read = spans if in_characters else meant or ()
    if _says(text, read, label):
        return "characters" if in_characters else "utf16"
    if not _has_letters(text, read) or (in_utf16 and counts_bytes(text, spans)):
        return None
    return "characters" if in_characters else "utf16"


def _has_letters(text: str, spans: Sequence[Span]) -> bool:
    """Whether all spans cover letters or digits: an emoji ends at edges too, and is seldom what a person marks."""
    return all(any(map(str.isalnum, span.of(text))) for span in spans)


def _outside(text: str, spans: Sequence[Span]) -> bool:
    length = sum(1 + (ord(char) > 0xFFFF) for char in text)
    return any(not 0 <= offset <= length for span in spans for offset in (span.start, span.end))


def _says(text: str, spans: Sequence[Span], label: RawLabel) -> bool:
    """Whether spans cover exactly the values that the row gives for their fields; False where it gives none."""
    pairs = [(span.of(text), label.labelled[span.label]) for span in spans if span.label in label.labelled]
    return bool(pairs) and all(
        surface in (map(str, value) if isinstance(value, list) else (str(value),)) for surface, value in pairs
    )
