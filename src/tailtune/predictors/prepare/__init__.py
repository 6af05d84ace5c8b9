"""What a text goes through before anything answers it: cleaned, then scrubbed. Curation and serving share it.

A model learns and is tested on prepared texts, so a raw text that is answered elsewhere is prepared in the same way.
`predictor.answer` prepares nothing: ladder, training and evaluation hand it curated rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tailtune.predictors.prepare.clean import clean, clean_mapped
from tailtune.predictors.prepare.moves import Moves
from tailtune.predictors.prepare.scrub import scrub, scrub_mapped

if TYPE_CHECKING:
    from tailtune.config.model import Pii
    from tailtune.core.records import Span


def prepared(text: str, scrub_pii: Iterable[Pii]) -> str:
    """A raw text as curation writes it, whatever its length.

    Args:
        text: As somebody typed it.
        scrub_pii: Kinds of personal data that were scrubbed from the rows the model learnt from.
    """
    return scrub(clean(text)[0], scrub_pii)[0]


def prepared_with(
    text: str, spans: Sequence[Span], scrub_pii: Iterable[Pii]
) -> tuple[str, tuple[Span, ...], tuple[Pii, ...]]:
    """A raw text as curation writes it, and where its spans stand in it.

    A span that reaches into a token such as `<card>` grows to hold it; one whose ends lay in white space that was
    collapsed is trimmed; one that covered nothing visible is left out.

    Args:
        text: As it stands in the file.
        spans: Inside the text, each of at least one character.
        scrub_pii: Kinds of personal data to scrub.

    Returns:
        The text, `prepared` as above; its spans in the order given; the kinds of personal data that were found.
    """
    cleaned, _, moves = clean_mapped(text)
    scrubbed, kinds, more = scrub_mapped(cleaned, scrub_pii)
    return scrubbed, moved(spans, (*moves, *more)), kinds


def moved(spans: Sequence[Span], moves: Iterable[Moves]) -> tuple[Span, ...]:
    """Spans after passes over their text; those of which nothing is left, and repeats, are left out."""
    kept = tuple(spans)
    for move in moves:
        at = ((span, move.moved(span.start, span.end)) for span in kept)
        kept = tuple(replace(span, start=start, end=end) for span, (start, end) in at if start < end)
    return kept if len(kept) < 2 else tuple(dict.fromkeys(kept))
