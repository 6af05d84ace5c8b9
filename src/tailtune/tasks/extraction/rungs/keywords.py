"""Values that are chosen, by the words that speak for them: naive Bayes on the few most telling words of each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats
from tailtune.tasks.extraction.annotations import Values
from tailtune.tasks.extraction.rungs.odds import softmax
from tailtune.tasks.extraction.rungs.words import Words
from tailtune.tasks.extraction.schema import FieldSpec
from tailtune.tasks.extraction.values import Chosen

Wide = NDArray[np.float64]

_MOST_KEYWORDS = 300  # per field
_LEAST_SEEN = 3  # texts with a keyword
_SMOOTHING = 0.5


@dataclass(frozen=True)
class Terms:
    """One per set of texts: which words and pairs of words stand in which.

    Attributes:
        names: Terms that stand in three texts or more.
        rows: Text of each occurrence; a term counts once per text.
        columns: Term of each occurrence, as its place in `names`.
    """

    names: tuple[str, ...]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[Words]) -> Terms:
        """Count the terms of texts."""
        known: dict[str, int] = {}
        columns: list[int] = []
        sizes: list[int] = []
        for words in texts:
            terms = sorted(terms_of(words))
            columns += [known.setdefault(term, len(known)) for term in terms]
            sizes.append(len(terms))
        every, names = np.array(columns, dtype=np.int64), list(known)
        kept = np.flatnonzero(np.bincount(every, minlength=len(known)) >= _LEAST_SEEN)
        place = np.full(len(known), -1)
        place[kept] = np.arange(len(kept))
        rows = np.repeat(np.arange(len(texts)), sizes)
        told = place[every] >= 0
        return cls(tuple(names[j] for j in kept), rows[told], place[every][told])

    def by_class(self, classes: NDArray[np.int64], size: int) -> Wide:
        """Texts with a term by the class of the text, shape (terms, size)."""
        cells = np.bincount(self.columns * size + classes[self.rows], minlength=len(self.names) * size)
        return cells.reshape(len(self.names), size).astype(np.float64)


@dataclass(frozen=True)
class Keywords:
    """One per classified field.

    Attributes:
        values: What may be chosen, None for nothing.
        words: Keyword → its row of `present` and `absent`.
        present: Log-probability that the keyword stands in a text, shape (keywords, values).
        absent: Log-probability that it does not, same shape.
        prior: Log share of each value, shape (values,).
    """

    values: tuple[str | bool | None, ...]
    words: Mapping[str, int]
    present: Floats
    absent: Floats
    prior: Floats

    @classmethod
    def learn(cls, spec: FieldSpec, terms: Terms, gold: Sequence[Values]) -> Keywords:
        """Find the words whose presence tells most about the field's value (mutual information).

        Args:
            spec: The field.
            terms: Of the train rows.
            gold: Values of the same rows.
        """
        said = [held.get(spec.name) for held in gold]
        values = tuple(sorted(set(said), key=str))
        column = {value: at for at, value in enumerate(values)}
        classes = np.array([column[value] for value in said])
        counts = np.bincount(classes, minlength=len(values)).astype(np.float64)
        table = terms.by_class(classes, len(values))
        best = np.argsort(-information(table, counts), kind="stable")[:_MOST_KEYWORDS]
        share = (table[best] + _SMOOTHING) / (counts + 2 * _SMOOTHING)
        return cls(
            values,
            {terms.names[j]: i for i, j in enumerate(best)},
            np.log(share).astype(np.float32),
            np.log1p(-share).astype(np.float32),
            np.log(counts / counts.sum()).astype(np.float32),
        )

    @cached_property
    def _silent(self) -> Floats:
        """Scores of a text without any keyword."""
        result: Floats = self.prior + self.absent.sum(axis=0)
        return result

    def choose(self, terms: frozenset[str]) -> Chosen:
        """The likeliest value of a text."""
        rows = [self.words[word] for word in terms & self.words.keys()]
        scores = self._silent + (self.present[rows] - self.absent[rows]).sum(axis=0)
        shares = softmax(scores)
        best = int(shares.argmax())
        return Chosen(self.values[best], float(shares[best]))

    def to_json(self) -> dict[str, Any]:
        """What is no array, as JSON values."""
        return {"values": self.values, "words": list(self.words)}

    def arrays(self) -> dict[str, Floats]:
        """The arrays by name."""
        return {"present": self.present, "absent": self.absent, "prior": self.prior}

    @classmethod
    def of(cls, held: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Keywords:
        """Read what `to_json` and `arrays` gave."""
        words = {word: i for i, word in enumerate(held["words"])}
        return cls(tuple(held["values"]), words, arrays["present"], arrays["absent"], arrays["prior"])


def terms_of(words: Words) -> frozenset[str]:
    """Words and pairs of neighbours in a text."""
    return frozenset(words.forms) | {f"{one} {two}" for one, two in zip(words.forms, words.forms[1:], strict=False)}


def information(table: Wide, counts: Wide) -> Wide:
    """Mutual information of a word's presence and the value, in nats, shape (words,).

    Args:
        table: Texts with the word, by value, shape (words, values).
        counts: Texts by value, shape (values,).
    """
    total = counts.sum()
    result = np.zeros(len(table))
    for part in (table, counts - table):
        share = part.sum(axis=1, keepdims=True) * counts / total
        with np.errstate(divide="ignore", invalid="ignore"):
            result += np.where(part > 0, part * np.log(part / share), 0.0).sum(axis=1) / total
    return result
