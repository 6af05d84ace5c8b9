"""Patterns and gazetteers: what values look like, which were seen before, and which words stand around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.core.records import Row, Span
from tailtune.predictors.base import Embed
from tailtune.predictors.timing import timed
from tailtune.tasks.extraction.rungs.base import ExtractContext, Extractor, Findings, Words, load_rung, save_rung
from tailtune.tasks.extraction.rungs.gazetteer import Gazetteer
from tailtune.tasks.extraction.rungs.naive_bayes import Keywords, Odds, Terms, terms_of
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.values import Candidate

_AROUND = 4  # words on each side that count wherever they stand
_MOST_WORDS = 500_000  # in texts whose candidates are counted: more take time and change little
_NOTHING = 0  # the class of candidates that are no value


class Patterns(Extractor):
    """Candidates by shape, gazetteer and cue words, each assigned to the likeliest field by the words around it.

    No encoder. Values that are chosen follow keywords.
    """

    def __init__(
        self, schema: ObjectSchema, gazetteer: Gazetteer, odds: Odds, keywords: Mapping[str, Keywords], rows: int
    ) -> None:
        self.schema, self._gazetteer, self._odds = schema, gazetteer, odds
        self._keywords, self.fit_rows = keywords, rows
        self._names = tuple(spec.name for spec in schema.spanned)
        self._single = frozenset(spec.name for spec in schema.spanned if not spec.many)

    @classmethod
    def fit(cls, context: ExtractContext) -> Patterns:
        """Learn where values stand, then what stands around them, then the keywords."""
        schema, annotations = context.schema, [row.label for row in context.rows]
        texts = [Words.of(row.text) for row in context.rows]
        gazetteer = Gazetteer.learn(schema, zip(texts, (labelled.spans for labelled in annotations), strict=True))
        topics = _topics(schema)
        column = {spec.name: i for i, spec in enumerate(schema.spanned, start=1)}

        counted = [(texts[at], annotations[at]) for at in _some(context.rows, texts)]

        def examples() -> Iterator[tuple[list[str], int]]:
            for words, labelled in counted:
                about = [f"{name}={labelled.values.get(name)}" for name in topics]
                owner = {words.under(span.start, span.end): column.get(span.label, 0) for span in labelled.spans}
                for (first, after), reasons in gazetteer.candidates(words).items():
                    yield features(words, first, after, (*reasons, *about)), owner.get((first, after), _NOTHING)

        terms, values = Terms.of(texts), [labelled.values for labelled in annotations]
        keywords = {spec.name: Keywords.learn(spec, terms, values) for spec in schema.classified}
        return cls(schema, gazetteer, Odds.learn(examples(), 1 + len(column)), keywords, len(texts))

    def find(self, texts: Sequence[str]) -> list[Findings]:
        """Candidates with their fields, and the choices of the keywords."""
        return [self._read(_words_of(text)) for text in texts]

    def _read(self, words: Words) -> Findings:
        with timed("infer"):
            terms = terms_of(words)
            chosen = {name: known.choose(terms) for name, known in self._keywords.items()}
            candidates = self._gazetteer.candidates(words)
            if not candidates:
                return Findings((), chosen, dict.fromkeys(self._names, 1.0))
            about = [f"{name}={chosen[name].value}" for name in _topics(self.schema)]
            items = [features(words, *place, (*reasons, *about)) for place, reasons in candidates.items()]
            shares = self._odds.probabilities(items)
        absent = dict(zip(self._names, (1 - shares[:, 1:].max(axis=0)).tolist(), strict=True))
        return Findings(tuple(self._assigned(words, list(candidates), shares)), chosen, absent)

    def _assigned(self, words: Words, places: Sequence[tuple[int, int]], shares: Any) -> Iterator[Candidate]:
        """Candidate and field by falling probability; no word is used twice, nor a field of a single value."""
        likely = np.argwhere(shares[:, 1:] > shares[:, [_NOTHING]])
        order = sorted(likely.tolist(), key=lambda pair: (-shares[pair[0], pair[1] + 1], places[pair[0]], pair[1]))
        taken, filled = np.zeros(len(words), dtype=np.bool_), set()
        for at, field in order:
            (first, after), name = places[at], self._names[field]
            if taken[first:after].any() or name in filled:
                continue
            taken[first:after] = True
            if name in self._single:
                filled.add(name)
            yield Candidate(Span(words.starts[first], words.ends[after - 1], name), float(shares[at, field + 1]))

    def save(self, folder: Path) -> None:
        """Write all that was counted."""
        arrays: dict[str, Any] = {"odds.weights": self._odds.weights, "odds.prior": self._odds.prior}
        for name, known in self._keywords.items():
            arrays |= {f"keywords.{name}.{part}": array for part, array in known.arrays().items()}
        meta = {
            "lexicon": self._gazetteer.to_json(),
            "features": list(self._odds.features),
            "keywords": {name: known.to_json() for name, known in self._keywords.items()},
            "rows": self.fit_rows,
        }
        save_rung(folder, self.schema, arrays, meta)

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Patterns:
        """Read what was counted; the encoder is not needed."""
        schema, arrays, meta = load_rung(folder)
        known = {name: i for i, name in enumerate(meta["features"])}
        keywords = {
            name: Keywords.of(
                values, {part: arrays[f"keywords.{name}.{part}"] for part in ("present", "absent", "prior")}
            )
            for name, values in meta["keywords"].items()
        }
        odds = Odds(known, arrays["odds.weights"], arrays["odds.prior"])
        return cls(schema, Gazetteer.from_json(meta["lexicon"]), odds, keywords, meta["rows"])


def _words_of(text: str) -> Words:
    with timed("tokenise"):
        return Words.of(text)


def _some(rows: Sequence[Row], texts: Sequence[Words]) -> Iterator[int]:
    """Numbers of rows, in the order of their ids (files are often sorted by label), until their words are enough."""
    words = 0
    for at in sorted(range(len(rows)), key=lambda at: rows[at].id):
        if words < _MOST_WORDS:
            words += len(texts[at])
            yield at


def _topics(schema: ObjectSchema) -> list[str]:
    """Fields that have a value in every text, such as an intent: all other fields depend on them."""
    return [spec.name for spec in schema.classified if not spec.nullable]


def features(words: Words, first: int, after: int, reasons: Sequence[str]) -> list[str]:
    """Features of a candidate: why it is one, its own words, those around it, and what the whole text is about."""
    forms = words.forms
    left, right = forms[max(0, first - _AROUND) : first], forms[after : after + _AROUND]
    one, two = (left[-1] if left else "\n"), (left[-2] if len(left) > 1 else "\n")
    then = right[0] if right else "\n"
    later = right[1] if len(right) > 1 else "\n"
    return [
        *reasons,
        f"size:{min(after - first, 6)}",
        f"first:{forms[first]}",
        f"last:{forms[after - 1]}",
        f"shape:{' '.join(words.shapes[first:after])}",
        f"left:{one}",
        f"left2:{two} {one}",
        f"right:{then}",
        f"right2:{then} {later}",
        *{f"before:{word}" for word in left if word[0].isalnum()},
        *{f"behind:{word}" for word in right if word[0].isalnum()},
    ]
