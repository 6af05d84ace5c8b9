"""Labelled rows as templates: the nearest ones vote on what is chosen, and are laid over the text to find values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.core.records import Span
from tailtune.predictors.base import Embed, Floats
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.rungs.aligning import Aligner
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Found, load_rung, save_rung
from tailtune.tasks.extraction.rungs.words import Words
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.values import Candidate, Chosen

NEIGHBOURS = 20
SHARPNESS = 20.0  # a neighbour votes with exp(cosine × 20)
_BLOCK_ROWS = 512  # similarities of a block are held at once: 512 × train rows × 4 bytes
_MOST_WORDS = 600  # aligning takes words²; what stands further back in a text is not transferred


class Template(Extractor):
    """Nearest labelled examples by sentence vector.

    Values that are chosen: a vote of the twenty nearest. Spans: each of the twenty is laid over the query word by word,
    and what stands in the place of its spans is taken; the more of the words around are the same, the surer.

    Limit: texts that say the same in other words, or in another order, share no places.
    """

    def __init__(self, schema: ObjectSchema, index: Floats, examples: Sequence[tuple[str, str]], embed: Embed) -> None:
        """Keep examples (text, annotation as JSON), one per row of `index` (n, 384)."""
        self.schema, self._index, self._examples, self._embed = schema, index, examples, embed
        self._gold: list[Annotation | None] = [None] * len(examples)

    @classmethod
    def fit(cls, context: ExtractContext) -> Template:
        """Embed the train rows."""
        index = context.embed([row.text for row in context.rows])
        return cls(context.schema, index, [(row.text, row.label) for row in context.rows], context.embed)

    def found(self, texts: Sequence[str]) -> list[Found]:
        """Votes and transferred spans."""
        queries, found = self._embed(texts), []
        k = min(NEIGHBOURS, len(self._examples))
        for start in range(0, len(texts), _BLOCK_ROWS):
            with timed("infer"):
                similarity = queries[start : start + _BLOCK_ROWS] @ self._index.T
                nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
            for text, columns, cosines in zip(texts[start:], nearest, similarity, strict=False):
                order = columns[np.lexsort((columns, -cosines[columns]))].tolist()
                found.append(self._read(text, order, np.exp(cosines[order] * SHARPNESS)))
        return found

    def _read(self, text: str, order: Sequence[int], votes: Floats) -> Found:
        shares = votes / votes.sum()
        examples = [self._annotation(j) for j in order]
        chosen = {}
        for spec in self.schema.classified:
            tally: Counter[Any] = Counter()
            for held, share in zip(examples, shares.tolist(), strict=True):
                tally[held.values.get(spec.name)] += share
            value, share = max(tally.items(), key=lambda item: item[1])
            chosen[spec.name] = Chosen(value, min(1.0, share))
        absent = {
            spec.name: float(sum(s for held, s in zip(examples, shares, strict=True) if spec.name not in held.values))
            for spec in self.schema.spanned
        }
        return Found(self._spans(text, order, shares), chosen, absent)

    def _spans(self, text: str, order: Sequence[int], shares: Floats) -> tuple[Candidate, ...]:
        """What the neighbours' spans are laid over; those that several agree on are surer, and none overlap."""
        aligner, votes, best = Aligner(Words.of(text), _MOST_WORDS), Counter[Span](), dict[Span, float]()
        for j, share in zip(order, shares.tolist(), strict=True):
            for span, support in aligner.transferred(self._words(j), self._annotation(j).spans):
                if support > 0:  # at least one word beside it is the same
                    votes[span] += share
                    best[span] = max(best.get(span, 0.0), support)
        found = [Candidate(span, support * (1 + min(1.0, votes[span])) / 2) for span, support in best.items()]
        kept: list[Candidate] = []
        for one in sorted(found, key=lambda one: (-one.confidence, one.span)):
            if all(one.span.end <= other.span.start or other.span.end <= one.span.start for other in kept):
                kept.append(one)
        return tuple(kept)

    def _words(self, j: int) -> Words:
        return Words.of(self._examples[j][0])

    def _annotation(self, j: int) -> Annotation:
        held = self._gold[j]
        if held is None:
            held = self._gold[j] = Annotation.decode(self._examples[j][1])
        return held

    @property
    def fit_rows(self) -> int:
        """Every indexed row."""
        return len(self._examples)

    def save(self, folder: Path) -> None:
        """Write the index and the examples."""
        save_rung(folder, self.schema, {"index": self._index}, {"examples": self._examples})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Template:
        """Read the index and the examples."""
        schema, arrays, meta = load_rung(folder)
        return cls(schema, arrays["index"], [(text, label) for text, label in meta["examples"]], embed)
