"""The classic: words and word pairs, weighted, under a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.predictors.base import Embed, Floats, load_arrays, save_arrays
from tailtune.predictors.timing import timed
from tailtune.tasks.classification.linear import fit_linear
from tailtune.tasks.classification.rungs import ClassifierRung, ClassifyContext, label_index, softmax

STRENGTH = 20.0
_NO_WORD = " "  # never found in a text


class Tfidf(ClassifierRung):
    """Logistic regression on sublinear TF-IDF of words and word pairs that occur at least twice."""

    def __init__(
        self, labels: tuple[str, ...], words: list[str], idf: Floats, head: tuple[Floats, Floats], rows: int
    ) -> None:
        self.labels, self._words, self._idf, self._rows = labels, words, idf, rows
        self._weights, self._intercepts = head
        self._vectorizer = _vectorizer(vocabulary={word: i for i, word in enumerate(words)})
        self._vectorizer.idf_ = idf.astype(np.float64)

    @classmethod
    def fit(cls, context: ClassifyContext) -> Tfidf:
        """Learn the vocabulary and the head."""
        labels = tuple(context.labels)
        texts = [row.text for row in context.rows]
        vectorizer = _vectorizer(min_df=2 if len(texts) >= 1000 else 1)
        try:
            features = vectorizer.fit_transform(texts)
        except ValueError:  # no word is frequent enough: the head is left with the label shares
            vectorizer = _vectorizer(vocabulary={_NO_WORD: 0})
            features = vectorizer.fit_transform(texts)
        head = fit_linear(features, label_index(labels, context.rows), len(labels), STRENGTH)
        words = [str(word) for word in vectorizer.get_feature_names_out()]
        return cls(labels, words, vectorizer.idf_.astype(np.float32), head, len(context.rows))

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Softmax of the head, shape (n, classes)."""
        with timed("tokenise"):
            features = self._vectorizer.transform(texts)
        return softmax(np.asarray(features @ self._weights.T) + self._intercepts)

    @property
    def fit_rows(self) -> int:
        """Every train row."""
        return self._rows

    def save(self, folder: Path) -> None:
        """Write vocabulary, weights and head."""
        arrays = {"idf": self._idf, "weights": self._weights, "intercepts": self._intercepts}
        save_arrays(folder, arrays, {"labels": self.labels, "words": self._words, "rows": self._rows})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Tfidf:
        """Read vocabulary, weights and head; the encoder is not needed."""
        arrays, meta = load_arrays(folder)
        head = (arrays["weights"], arrays["intercepts"])
        return cls(tuple(meta["labels"]), meta["words"], arrays["idf"], head, meta["rows"])


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32, **options)
