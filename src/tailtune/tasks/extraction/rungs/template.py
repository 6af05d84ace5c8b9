"""Labelled rows as templates: the nearest ones vote on chosen values, and are aligned with the text to find spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailtune.core.records import Span
from tailtune.predictors.base import Embed, Floats
from tailtune.predictors.nearest import nearest
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Findings, Words, load_rung, save_rung
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.values import Candidate, Chosen

if TYPE_CHECKING:
    from tailtune.predictors.onnx_graph import Source

Code = tuple[str, int, int, int, int]

_MOST_GROWTH = 3  # a stretch may grow to so many times its words, and two more
_AROUND = 3  # words on each side of a stretch that speak for its place


class Aligner:
    """One per query: aligns other texts with it, word by word."""

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
            if begin is not None and end is not None and begin < end <= begin + _MOST_GROWTH * (after - first) + 2:
                left = _same(self._query.forms[:begin][::-1], template.forms[:first][::-1])
                right = _same(self._query.forms[end:], template.forms[after:])
                yield Span(self._query.starts[begin], self._query.ends[end - 1], span.label), (left + right) / 2


def _same(query: Sequence[str], template: Sequence[str]) -> float:
    """Share of the next words that are the same, up to the first one that is not."""
    for at in range(_AROUND):
        word, other = query[at : at + 1], template[at : at + 1]
        if word != other:
            return at / _AROUND
        if not word:
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


NEIGHBOURS = 20
SHARPNESS = 20.0  # a neighbour votes with exp(cosine × 20)
_MOST_WORDS = 600  # aligning takes words²; what stands further back in a text is not transferred


class Template(Extractor):
    """Nearest labelled examples by sentence vector.

    Values that are chosen: a vote of the twenty nearest. Spans: each of the twenty is aligned with the query word by
    word, and what stands in the place of its spans is taken; the more words around are the same, the surer.

    Limit: texts that say the same in other words, or in another order, share no places.

    Attributes:
        index: One vector per labelled row, shape (rows, 384).
    """

    def __init__(
        self, schema: ObjectSchema, index: Floats, examples: Sequence[tuple[str, Annotation]], embed: Embed
    ) -> None:
        """Keep examples (text, annotation), one per row of `index` (n, 384)."""
        self.schema, self.index, self._examples, self._embed = schema, index, examples, embed
        self.fit_rows = len(examples)

    @classmethod
    def fit(cls, context: ExtractContext) -> Template:
        """Embed the train rows."""
        index = context.embed([row.text for row in context.rows])
        return cls(context.schema, index, [(row.text, row.label) for row in context.rows], context.embed)

    def find(self, texts: Sequence[str]) -> list[Findings]:
        """Votes and transferred spans."""
        queries, found = self._embed(texts), []
        with timed("infer"):
            neighbours = nearest(queries, self.index, min(NEIGHBOURS, len(self._examples)))
        for text, positions, cosines in zip(texts, *neighbours, strict=True):
            order = np.lexsort((positions, -cosines))
            found.append(self._read(text, positions[order].tolist(), np.exp(cosines[order] * SHARPNESS)))
        return found

    def _read(self, text: str, order: Sequence[int], votes: Floats) -> Findings:
        shares = votes / votes.sum()
        examples = [self._examples[j][1] for j in order]
        chosen = {}
        for spec in self.schema.classified:
            tally: Counter[Any] = Counter()
            for example, share in zip(examples, shares.tolist(), strict=True):
                tally[example.values.get(spec.name)] += share
            value, share = max(tally.items(), key=lambda item: item[1])
            chosen[spec.name] = Chosen(value, min(1.0, share))
        absent = {
            spec.name: float(sum(s for row, s in zip(examples, shares, strict=True) if spec.name not in row.values))
            for spec in self.schema.spanned
        }
        return Findings(self._spans(text, order, shares), chosen, absent)

    def _spans(self, text: str, order: Sequence[int], shares: Floats) -> tuple[Candidate, ...]:
        """The neighbours' spans in this text; those that several agree on are surer, and none overlap."""
        aligner, votes, best = Aligner(Words.of(text), _MOST_WORDS), Counter[Span](), dict[Span, float]()
        for j, share in zip(order, shares.tolist(), strict=True):
            for span, support in aligner.transferred(self._words(j), self._examples[j][1].spans):
                if support > 0:  # at least one word beside it is the same
                    votes[span] += share
                    best[span] = max(best.get(span, 0.0), support)
        found = [Candidate(span, support * (1 + min(1.0, votes[span])) / 2) for span, support in best.items()]
        kept: list[Candidate] = []
        for new in sorted(found, key=lambda candidate: (-candidate.confidence, candidate.span)):
            if all(new.span.end <= other.span.start or other.span.end <= new.span.start for other in kept):
                kept.append(new)
        return tuple(kept)

    def _words(self, j: int) -> Words:
        return Words.of(self._examples[j][0])

    def save(self, folder: Path) -> None:
        """Write the index and the examples."""
        save_rung(
            folder,
            self.schema,
            {"index": self.index},
            {"examples": [(text, str(label)) for text, label in self._examples]},
        )

    @classmethod
    def source(cls, folder: Path) -> Source:
        """The encoder to export: the embedded one."""
        from tailtune.predictors.onnx_graph import embedded_encoder

        return embedded_encoder()

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Template:
        """Read the index and the examples."""
        schema, arrays, meta = load_rung(folder)
        return cls(
            schema, arrays["index"], [(text, Annotation.parse(label)) for text, label in meta["examples"]], embed
        )
