"""Naive Bayes twice: over named features of candidates, and over the most informative words of a chosen field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats, softmax
from tailtune.tasks.extraction.annotations import Values
from tailtune.tasks.extraction.rungs.base import Words
from tailtune.tasks.extraction.schema import FieldSpec
from tailtune.tasks.extraction.values import Chosen

_FEATURE_SMOOTHING = 0.03
_NEVER = -1e4  # log share of a class without examples
_DAMPING = 0.4  # features that repeat each other would make naive Bayes overconfident


class Odds:
    """Log-probabilities of features by class.

    Attributes:
        features: Feature → its row of `weights`.
        weights: Log-probabilities, shape (features, classes).
        prior: Log share of each class, shape (classes,).
    """

    def __init__(self, features: Mapping[str, int], weights: Floats, prior: Floats) -> None:
        self.features, self.weights, self.prior = features, weights, prior
        self._padded = np.concatenate([weights, np.zeros((1, len(prior)), dtype=np.float32)])

    @classmethod
    def learn(cls, items: Iterable[tuple[Sequence[str], int]], classes: int, least: int = 2) -> Odds:
        """Count features.

        Args:
            items: (features, class) of each example.
            classes: How many classes there are; one without examples is never likely.
            least: Times a feature must have been seen.
        """
        known: dict[str, int] = {}
        seen: list[int] = []
        priors = np.zeros(classes, dtype=np.int64)
        for features, of_class in items:
            priors[of_class] += 1
            seen += [known.setdefault(feature, len(known)) * classes + of_class for feature in features]
        counts = np.bincount(np.array(seen, dtype=np.int64), minlength=len(known) * classes).reshape(-1, classes)
        kept = np.flatnonzero(counts.sum(axis=1) >= least)
        names = list(known)
        shares = (counts[kept] + _FEATURE_SMOOTHING) / (priors + 2 * _FEATURE_SMOOTHING)
        prior = np.where(priors > 0, np.log(np.maximum(priors, 1) / max(1, priors.sum())), _NEVER)
        return cls(
            {names[j]: i for i, j in enumerate(kept)}, np.log(shares).astype(np.float32), prior.astype(np.float32)
        )

    def probabilities(self, items: Sequence[Sequence[str]]) -> Floats:
        """Of each class, from what the known features say, shape (items, classes)."""
        nothing = len(self.weights)  # closes each row, so that none is empty
        rows = [[*(self.features[name] for name in item if name in self.features), nothing] for item in items]
        flat = np.array([at for row in rows for at in row], dtype=np.int64)
        begins = np.cumsum([0, *(len(row) for row in rows[:-1])])
        sums = np.add.reduceat(self._padded[flat], begins, axis=0)
        return softmax(self.prior + np.float32(_DAMPING) * sums)


Wide = NDArray[np.float64]

_MOST_KEYWORDS = 300  # per field
_LEAST_TEXTS = 3  # texts with a keyword
_WORD_SMOOTHING = 0.5


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
        kept = np.flatnonzero(np.bincount(every, minlength=len(known)) >= _LEAST_TEXTS)
        place = np.full(len(known), -1)
        place[kept] = np.arange(len(kept))
        rows = np.repeat(np.arange(len(texts)), sizes)
        frequent = place[every] >= 0
        return cls(tuple(names[j] for j in kept), rows[frequent], place[every][frequent])

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
        """Find the words with the most mutual information about the field's value.

        Args:
            spec: The field.
            terms: Of the train rows.
            gold: Values of the same rows.
        """
        answers = [labelled.get(spec.name) for labelled in gold]
        values = tuple(sorted(set(answers), key=str))
        column = {value: at for at, value in enumerate(values)}
        classes = np.array([column[value] for value in answers])
        counts = np.bincount(classes, minlength=len(values)).astype(np.float64)
        table = terms.by_class(classes, len(values))
        best = np.argsort(-information(table, counts), kind="stable")[:_MOST_KEYWORDS]
        share = (table[best] + _WORD_SMOOTHING) / (counts + 2 * _WORD_SMOOTHING)
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
        """Everything except the arrays, as JSON."""
        return {"values": self.values, "words": list(self.words)}

    def arrays(self) -> dict[str, Floats]:
        """The arrays by name."""
        return {"present": self.present, "absent": self.absent, "prior": self.prior}

    @classmethod
    def of(cls, saved: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Keywords:
        """Read what `to_json` and `arrays` returned."""
        words = {word: i for i, word in enumerate(saved["words"])}
        return cls(tuple(saved["values"]), words, arrays["present"], arrays["absent"], arrays["prior"])


def terms_of(words: Words) -> frozenset[str]:
    """Words and pairs of neighbours in a text."""
    return frozenset(words.forms) | {f"{word} {after}" for word, after in pairwise(words.forms)}


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
