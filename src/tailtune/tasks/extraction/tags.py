"""Spans as one tag for each word, and back: BIO, `B-` for a span's first word, `I-` for the others, `O` outside.

Tag 0 is `O`; field j has `B-` at 1 + 2 j and `I-` at 2 + 2 j (Ramshaw and Marcus 1995, Text Chunking).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailtune.core.records import Span
from tailtune.tasks.extraction.windows import Ints, Windowed

OUTSIDE = 0


@dataclass(frozen=True, slots=True)
class Tagged:
    """One per labelled text.

    Attributes:
        tags: (words,) int64.
        widened: Spans that begin or end inside a word: the tags say the whole word.
        lost: Spans that got no word of their own: none lies under them, or another span was there first.
    """

    tags: Ints
    widened: int
    lost: int


@dataclass(frozen=True)
class TagSet:
    """One per use case: the fields whose values stand in the text, in the schema's order."""

    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many tags there are: an odd number."""
        return 1 + 2 * len(self.names)

    def begin(self, name: str) -> int:
        """The `B-` tag of a field; its `I-` tag is the next one."""
        return 1 + 2 * self.names.index(name)

    def tag(self, words: Windowed, spans: Sequence[Span]) -> Tagged:
        """Tag the words under spans; the first span wins where two touch one word.

        Args:
            words: Of the text.
            spans: Sorted by start; labels that are no field of the set are passed over.
        """
        tags = np.zeros(len(words.starts), dtype=np.int64)
        widened = lost = 0
        for span in spans:
            if span.label not in self.names:
                continue
            first = int(np.searchsorted(words.ends, span.start, side="right"))
            after = int(np.searchsorted(words.starts, span.end, side="left"))
            free = [at for at in range(first, after) if tags[at] == OUTSIDE]
            if not free:
                lost += 1
                continue
            begin = self.begin(span.label)
            tags[free[0]] = begin
            tags[free[0] + 1 : free[-1] + 1] = begin + 1
            widened += bool(words.starts[first] < span.start or words.ends[after - 1] > span.end)
        return Tagged(tags, widened, lost)

    def spans(self, words: Windowed, tags: Sequence[int]) -> list[tuple[Span, int, int]]:
        """Read tags as spans, each with its first word and the word after its last, sorted by start.

        Args:
            words: Of the text.
            tags: (words,), a legal sequence; an `I-` that continues nothing begins a span.
        """
        found: list[tuple[Span, int, int]] = []
        open_at, field = -1, -1
        for at, tag in enumerate((*tags, OUTSIDE)):
            inside = tag != OUTSIDE and tag % 2 == 0 and (tag - 2) // 2 == field
            if inside:
                continue
            if field >= 0:
                span = Span(int(words.starts[open_at]), int(words.ends[at - 1]), self.names[field])
                found.append((span, open_at, at))
            open_at, field = (at, (tag - 1) // 2) if tag != OUTSIDE else (-1, -1)
        return found
