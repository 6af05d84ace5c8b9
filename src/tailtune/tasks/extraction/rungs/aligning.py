"""One text laid over another, word by word: where a stretch of the first stands in the second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from tailtune.core.records import Span
from tailtune.tasks.extraction.rungs.words import Words

Code = tuple[str, int, int, int, int]

_LONGEST = 3  # a stretch may grow to so many times its words, and two more
_AROUND = 3  # words on each side of a stretch that speak for its place


class Aligner:
    """One per query: lays other texts over it."""

    def __init__(self, query: Words, most_words: int) -> None:
        """Index the query; only `most_words` words of it and of each template are aligned."""
        self._query, self._most = query, most_words
        self._matcher: SequenceMatcher[str] = SequenceMatcher(None, b=query.forms[:most_words], autojunk=False)

    def transferred(self, template: Words, spans: Sequence[Span]) -> Iterator[tuple[Span, float]]:
        """What stands in the query where a template has its spans, and how much around it is the same.

        A span goes over when its first and last word do: a word that both texts have stands where it stands; words
        that were put in the place of others begin and end where those did. A place inside them is known only when as
        many were put as taken.

        Args:
            template: Words of the labelled text.
            spans: Of the labelled text.

        Yields:
            The span in the query, and the share of the three words on each side of it that both texts have, 0 to 1; the
            edge of a text counts as a word.
        """
        self._matcher.set_seq1(template.forms[: self._most])
        codes = self._matcher.get_opcodes()
        for span in spans:
            first, after = template.under(span.start, span.end)
            if not first < after <= self._most:
                continue
            begin, end = _begin(codes, first), _end(codes, after - 1)
            if begin is not None and end is not None and begin < end <= begin + _LONGEST * (after - first) + 2:
                left = _same(self._query.forms[:begin][::-1], template.forms[:first][::-1])
                right = _same(self._query.forms[end:], template.forms[after:])
                yield Span(self._query.starts[begin], self._query.ends[end - 1], span.label), (left + right) / 2


def _same(query: Sequence[str], template: Sequence[str]) -> float:
    """Share of the next words that are the same, up to the first one that is not."""
    for at in range(_AROUND):
        one, other = query[at : at + 1], template[at : at + 1]
        if one != other:
            return at / _AROUND
        if not one:
            return 1.0
    return 1.0


def _begin(codes: Sequence[Code], word: int) -> int | None:
    """Where a stretch that begins with this word of the template begins in the query."""
    for _, i1, i2, j1, j2 in codes:
        if i1 <= word < i2:
            return j1 + word - i1 if i2 - i1 == j2 - j1 else j1 if word == i1 and j1 < j2 else None
    return None


def _end(codes: Sequence[Code], word: int) -> int | None:
    """The word of the query after a stretch that ends with this word of the template."""
    for _, i1, i2, j1, j2 in codes:
        if i1 <= word < i2:
            return j1 + word - i1 + 1 if i2 - i1 == j2 - j1 else j2 if word == i2 - 1 and j1 < j2 else None
    return None
