"""A text with the spans that were expected and answered marked in it, for people who read failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from tailtune.core.records import Span


def marked(text: str, expected: Sequence[Span], answered: Sequence[Span]) -> str:
    """Mark up a text.

    Args:
        text: What was answered.
        expected: Gold spans, within the text.
        answered: The predictor's spans, within the text.

    Returns:
        The text with brackets around every stretch: `⟦✓ loss_date: 4 May⟧` right, `⟦✗ loss_date: 4 May⟧` nothing is
        expected there, `⟦missed loss_date: 4 May⟧` not answered, `⟦✗ loss_date, expected report_date: 4 May⟧` another
        field. Stretches that overlap are shown as one, each with its own words: `⟦✗ loss_date "4 May", expected
        loss_date "4 May 2026": 4 May 2026⟧`.
    """
    parts, at = [], 0
    for start, end, gold, found in _stretches(expected, answered):
        parts += [text[at:start], f"⟦{_told(text, start, end, gold, found)}: {text[start:end]}⟧"]
        at = end
    return "".join([*parts, text[at:]])


def _stretches(
    expected: Sequence[Span], answered: Sequence[Span]
) -> Iterator[tuple[int, int, frozenset[Span], frozenset[Span]]]:
    """Spans that overlap, together: start, end, expected ones, answered ones."""
    gold, found = frozenset(expected), frozenset(answered)
    group: list[Span] = []
    end = 0
    for span in chain(sorted(gold | found), (None,)):
        if group and (span is None or span.start >= end):
            yield group[0].start, end, gold.intersection(group), found.intersection(group)
            group, end = [], 0
        if span is not None:
            group.append(span)
            end = max(end, span.end)


def _told(text: str, start: int, end: int, gold: frozenset[Span], found: frozenset[Span]) -> str:
    """What happened to a stretch, in a few words."""

    def named(spans: frozenset[Span]) -> str:
        return " and ".join(
            span.label if (span.start, span.end) == (start, end) else f'{span.label} "{span.of(text)}"'
            for span in sorted(spans)
        )

    told = [f"✓ {named(gold & found)}"] if gold & found else []
    wrong, missed = found - gold, gold - found
    if wrong:
        told.append(f"✗ {named(wrong)}")
    if missed:
        told.append(f"{'expected' if wrong else 'missed'} {named(missed)}")
    return ", ".join(told)
