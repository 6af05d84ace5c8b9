"""Checks of the spans that a labelled row came with: outside the text, empty, overlapping, not in characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tailtune.core.records import Span
from tailtune.tasks.extraction.values.texts import shown

Reason = Literal["span_outside", "span_empty", "span_overlap", "span_bytes"]
_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class SpanFault:
    """One per fault in a row's spans.

    Attributes:
        reason: Its kind, for counting.
        detail: A sentence about this fault.
    """

    reason: Reason
    detail: str


def span_faults(text: str, spans: Sequence[Span]) -> tuple[SpanFault, ...]:
    """What is wrong with the spans of a raw text, offsets counted in characters.

    Offsets that fit as bytes of UTF-8 and not as characters are one single fault, whatever else they cause.

    Args:
        text: What the spans stand in.
        spans: Of the row, in any order.
    """
    if counts_bytes(text, spans):
        return (SpanFault("span_bytes", _bytes_detail(text, spans)),)
    return (*_alone(text, spans), *_overlaps(spans))


def counts_bytes(text: str, spans: Sequence[Span]) -> bool:
    """Whether offsets count bytes of UTF-8 where characters are meant.

    They do if, read as bytes, all spans begin and end at edges of words, and, read as characters, one of them does not
    or lies outside. An ASCII text, and spans before its first other character, read the same either way.
    """
    if text.isascii() or not spans:
        return False
    places = _byte_places(text)
    read = [(places.get(span.start), places.get(span.end)) for span in spans]
    if read == [(span.start, span.end) for span in spans]:
        return False
    as_bytes = all(start is not None and end is not None and _word(text, start, end) for start, end in read)
    return as_bytes and not fits_words(text, spans)


def from_bytes(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans whose offsets count bytes of UTF-8, with offsets in characters.

    Raises:
        KeyError: An offset lies within a character.
    """
    places = _byte_places(text)
    return tuple(Span(places[span.start], places[span.end], span.label) for span in spans)


def from_utf16(text: str, spans: Sequence[Span]) -> tuple[Span, ...] | None:
    """Spans whose offsets count UTF-16 code units, with offsets in characters; None where one is not in the text."""
    if not spans or text.isascii():
        return tuple(spans)
    places = _places(text, lambda code: 1 + (code > 0xFFFF))
    if any(offset not in places for span in spans for offset in (span.start, span.end)):
        return None
    return tuple(Span(places[span.start], places[span.end], span.label) for span in spans)


def utf16_detail(text: str, spans: Sequence[Span]) -> str:
    """A sentence that shows a span as characters and as UTF-16 code units have it."""
    meant = from_utf16(text, spans)
    if meant is None:
        return "counted in UTF-16 code units, an offset lies within a character; count characters in every row"
    span, other = next((span, other) for span, other in zip(spans, meant, strict=True) if span != other)
    says = shown(other.of(text))
    return f"{_covered(text, span)}; counted in UTF-16 code units it says {says}; count characters in every row"


def fits_words(text: str, spans: Sequence[Span]) -> bool:
    """Whether all spans, counted in characters, begin and end at edges of words."""
    return all(_word(text, span.start, span.end) for span in spans)


def _alone(text: str, spans: Sequence[Span]) -> Iterator[SpanFault]:
    for span in spans:
        name = _named(span)
        if span.start < 0 or span.end > len(text):
            yield SpanFault("span_outside", f"{name} lies outside the text of {len(text)} characters")
        elif span.end <= span.start:
            yield SpanFault("span_empty", f"{name} covers nothing: its end must be above its start")
        elif not any(char.isprintable() and not char.isspace() for char in span.of(text)):
            yield SpanFault("span_empty", f"{name} covers nothing that can be seen")


def _overlaps(spans: Sequence[Span]) -> Iterator[SpanFault]:
    """Each span that begins before an earlier one has ended."""
    reach: Span | None = None
    for span in sorted(span for span in spans if span.end > span.start):
        if reach is not None and span.start < reach.end:
            way = "are the same" if span == reach else "overlap" if span.end <= reach.end else "cross"
            yield SpanFault("span_overlap", f"{_named(reach)} and {_named(span)} {way}")
        if reach is None or span.end > reach.end:
            reach = span


def _bytes_detail(text: str, spans: Sequence[Span]) -> str:
    """A sentence that shows a span which fits words only when counted in bytes."""
    span = next(span for span in spans if not _word(text, span.start, span.end))
    meant = from_bytes(text, [span])[0]
    return f"{_covered(text, span)}; counted in bytes of UTF-8 it says {shown(meant.of(text))}; count characters"


def _covered(text: str, span: Span) -> str:
    inside = span.end <= len(text)
    return f"{_named(span)} {f'covers {shown(span.of(text))}' if inside else 'lies outside the text'}"


def _named(span: Span) -> str:
    return f"span {span.start}–{span.end} ({span.label})"


def _byte_places(text: str) -> dict[int, int]:
    """Offset in bytes of UTF-8 → offset in characters."""
    return _places(text, lambda code: 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF))


def _places(text: str, width: Callable[[int], int]) -> dict[int, int]:
    """Offset in units of an encoding → offset in characters.

    Args:
        text: What is measured.
        width: Units that the character of a code point takes.
    """
    places, at = {}, 0
    for i, char in enumerate(text):
        places[at] = i
        at += width(ord(char))
    places[at] = len(text)
    return places


def _word(text: str, start: int, end: int) -> bool:
    """Whether a stretch begins and ends at edges of words, and with no white space."""
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        return False
    return not (joined(text, start) or joined(text, end))


def joined(text: str, at: int) -> bool:
    """Whether an offset lies within a word, or between a character and the marks that belong to it."""
    if not 0 < at < len(text):
        return False
    if _continues(text[at]) or text[at - 1] == _JOINER:
        return True
    before = at - 1
    while before and _continues(text[before]):
        before -= 1
    return text[before].isalnum() and text[at].isalnum()


def _continues(char: str) -> bool:
    """Whether a character belongs to the one before it: a vowel sign, an accent, a colour of skin, a joiner."""
    return not char.isascii() and (
        unicodedata.category(char)[0] == "M" or char == _JOINER or "\U0001f3fb" <= char <= "\U0001f3ff"
    )
