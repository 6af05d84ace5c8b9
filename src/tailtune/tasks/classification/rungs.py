"""The cheaper rungs of classification: predictors that are fitted in seconds and give a probability to every label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Row
from tailtune.predictors.base import Embed, FitContext, Floats, Rung, each_times, load_arrays, save_arrays, softmax
from tailtune.predictors.nearest import nearest
from tailtune.predictors.timing import timed
from tailtune.tasks.classification.linear import feature_limit, fit_linear

if TYPE_CHECKING:
    from tailtune.predictors.onnx_graph import Source

STRENGTH = 20.0
"""Inverse regularisation of the linear heads."""
SHARPNESS = 20.0
"""Cosine similarities times this give usable probabilities: their differences are small."""
BLOCK_SCORES = 2**24  # probabilities kept at once: rows × labels × 4 bytes, a few times over
_NO_WORD = " "  # never found in a text


@dataclass(frozen=True, kw_only=True)
class ClassifyContext(FitContext):
    """One per ladder of a classification use case.

    Attributes:
        labels: Label → description, in file order.
        shots: Examples per class for rungs that use few.
        neighbours: Nearest rows for rungs that look them up.
    """

    labels: Mapping[str, str]
    shots: int
    neighbours: int


class Classifier(ABC):
    """A predictor that spreads a probability over a fixed label set, and can be saved without pickle.

    Attributes:
        labels: The label set; column j of `probabilities` is labels[j].
    """

    labels: tuple[str, ...]

    @abstractmethod
    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Probabilities, shape (n, classes), rows sum to 1."""

    def likeliest(self, text: str, most: int) -> tuple[Answer, tuple[tuple[str, float], ...]]:
        """The answer to a text, and the likeliest labels with their probabilities, likeliest first."""
        with timed("infer"):
            (probabilities,) = self.probabilities([text])
        # As `answer` chooses: of equal ones the first.
        order = np.argsort(-probabilities, kind="stable")[:most]
        found = tuple((self.labels[j], float(probabilities[j])) for j in order)
        return Answer(*found[0]), found

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        """The most probable label of each text with its probability; local work costs 0 dollars."""
        answers: list[Answer] = []
        block = max(1, BLOCK_SCORES // len(self.labels))
        for start in range(0, len(texts), block):
            with timed("infer"):
                probabilities = self.probabilities(texts[start : start + block])
            best = probabilities.argmax(axis=1)
            answers += [Answer(self.labels[j], float(probabilities[i, j])) for i, j in enumerate(best)]
        return answers


@dataclass(frozen=True, eq=False)
class ClassifierRung(Classifier, Rung[ClassifyContext]):
    """A classifier the ladder measures: its fields are what is learnt, and what is saved.

    Attributes:
        labels: The label set.
        fit_rows: Labelled rows it was made of.
    """

    labels: tuple[str, ...]
    fit_rows: int

    def save(self, folder: Path) -> None:
        """Write every field except the encoder."""
        learnt = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "embed"}
        arrays = {name: value for name, value in learnt.items() if isinstance(value, np.ndarray)}
        save_arrays(folder, arrays, {name: value for name, value in learnt.items() if name not in arrays})

    @classmethod
    def source(cls, folder: Path) -> Source | None:
        """The encoder to export for it; None for a rung that does not embed."""
        from tailtune.predictors.onnx_graph import embedded_encoder

        return embedded_encoder() if "embed" in {field.name for field in fields(cls)} else None

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Self:
        """Read every field; a rung that does not embed needs no encoder."""
        arrays, meta = load_arrays(folder)
        learnt = {**arrays, **meta, "labels": tuple(meta["labels"])}
        if "embed" in {field.name for field in fields(cls)}:
            learnt["embed"] = embed
        return cls(**learnt)


def label_index(labels: Sequence[str], rows: Sequence[Row]) -> NDArray[np.int64]:
    """Position of each row's label in the label set, shape (n,)."""
    position = {label: i for i, label in enumerate(labels)}
    return np.array([position[row.label] for row in rows], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Majority(ClassifierRung):
    """Answers every row with the label shares of the train rows."""

    shares: Floats

    @classmethod
    def fit(cls, context: ClassifyContext) -> Majority:
        """Count the labels."""
        counts = Counter(row.label for row in context.rows)
        shares = np.array([counts[label] for label in context.labels], dtype=np.float32)
        return cls(tuple(context.labels), len(context.rows), shares / shares.sum())

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The same shares for every text, shape (n, classes)."""
        return np.tile(self.shares, (len(texts), 1))


@dataclass(frozen=True, eq=False)
class Tfidf(ClassifierRung):
    """Logistic regression on sublinear TF-IDF of words and word pairs that occur at least twice.

    With many labels only the most frequent words are kept, so that labels × words stay bounded (`linear.py`).
    """

    words: list[str]
    idf: Floats
    weights: Floats
    intercepts: Floats

    @classmethod
    def fit(cls, context: ClassifyContext) -> Tfidf:
        """Learn the vocabulary and the head."""
        labels = tuple(context.labels)
        texts = [row.text for row in context.rows]
        vectorizer = _tfidf_vectorizer(min_df=2 if len(texts) >= 1000 else 1, max_features=feature_limit(len(labels)))
        try:
            features = vectorizer.fit_transform(texts)
        except ValueError:  # no word is frequent enough: the head is left with the label shares
            vectorizer = _tfidf_vectorizer(vocabulary={_NO_WORD: 0})
            features = vectorizer.fit_transform(texts)
        weights, intercepts = fit_linear(features, label_index(labels, context.rows), len(labels), STRENGTH)
        words = [str(word) for word in vectorizer.get_feature_names_out()]
        idf = vectorizer.idf_.astype(np.float32)
        return cls(labels, len(context.rows), words, idf, weights, intercepts)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Softmax of the head, shape (n, classes)."""
        with timed("tokenise"):
            features = self._vectorizer.transform(texts)
        return softmax(np.asarray(features @ self.weights.T) + self.intercepts)

    @cached_property
    def _vectorizer(self) -> Any:
        vectorizer = _tfidf_vectorizer(vocabulary={word: i for i, word in enumerate(self.words)})
        vectorizer.idf_ = self.idf.astype(np.float64)
        return vectorizer


def _tfidf_vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32, **options)


@dataclass(frozen=True, eq=False)
class NearestVector(ClassifierRung):
    """Cosine similarity to one unit vector per label.

    Attributes:
        vectors: One per label, shape (classes, 384), L2-normalised.
        embed: The encoder.
    """

    vectors: Floats
    embed: Embed

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Softmax over sharpened cosine similarities, shape (n, classes)."""
        return softmax(each_times(self.embed(texts), self.vectors.T) * SHARPNESS)


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Floats = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return result


class ZeroShot(NearestVector):
    """Nearest label description by cosine similarity."""

    @classmethod
    def fit(cls, context: ClassifyContext) -> ZeroShot:
        """Embed each label as `label words: description`."""
        texts = [described(label, description) for label, description in context.labels.items()]
        return cls(tuple(context.labels), 0, context.embed(texts), context.embed)


def described(label: str, description: str) -> str:
    """What the encoder reads for a label."""
    words = label.replace("_", " ").replace("-", " ")
    return f"{words}: {description}" if description and description.casefold() != words.casefold() else words


class Prototypes(NearestVector):
    """Nearest class mean over `shots` examples per class (Snell et al. 2017, on frozen embeddings)."""

    @classmethod
    def fit(cls, context: ClassifyContext) -> Prototypes:
        """Average the chosen examples of each class; a class without rows keeps a zero vector."""
        rows = few_per_class(list(context.rows), context.shots)
        labels = tuple(context.labels)
        sums = np.zeros((len(labels), 384), dtype=np.float32)
        np.add.at(sums, label_index(labels, rows), context.embed([row.text for row in rows]))
        return cls(labels, len(rows), unit(sums), context.embed)


def few_per_class(rows: list[Row], shots: int) -> list[Row]:
    """Up to `shots` rows of each label, chosen by id: stable when other rows come and go."""
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.id):
        if len(by_label[row.label]) < shots:
            by_label[row.label].append(row)
    return [row for chosen in by_label.values() for row in chosen]


@dataclass(frozen=True, eq=False)
class Retrieval(ClassifierRung):
    """k nearest labelled rows by cosine similarity, each voting with exp(similarity × SHARPNESS).

    Exact search: at 50,000 rows a look-up reads 77 MB, a few milliseconds.

    Attributes:
        index: One vector per labelled row, shape (rows, 384).
        owners: Position of each row's label, shape (rows,).
        neighbours: k, at most the number of rows.
        embed: The encoder.
    """

    index: Floats
    owners: NDArray[np.int64]
    neighbours: int
    embed: Embed

    @classmethod
    def fit(cls, context: ClassifyContext) -> Retrieval:
        """Embed the train rows."""
        labels, rows = tuple(context.labels), len(context.rows)
        index = context.embed([row.text for row in context.rows])
        owners = label_index(labels, context.rows)
        return cls(labels, rows, index, owners, min(context.neighbours, rows), context.embed)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Share of the votes, shape (n, classes)."""
        positions, cosines = nearest(self.embed(texts), self.index, self.neighbours)
        votes = np.zeros((len(texts), len(self.labels)), dtype=np.float32)
        np.add.at(votes, (np.arange(len(texts))[:, None], self.owners[positions]), np.exp(cosines * SHARPNESS))
        result: Floats = votes / votes.sum(axis=1, keepdims=True)
        return result


@dataclass(frozen=True, eq=False)
class Probe(ClassifierRung):
    """Logistic regression on L2-normalised embeddings."""

    weights: Floats
    intercepts: Floats
    embed: Embed

    @classmethod
    def fit(cls, context: ClassifyContext) -> Probe:
        """Fit the head on the train rows' embeddings."""
        labels = tuple(context.labels)
        features = context.embed([row.text for row in context.rows])
        weights, intercepts = fit_linear(features, label_index(labels, context.rows), len(labels), STRENGTH)
        return cls(labels, len(context.rows), weights, intercepts, context.embed)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Softmax of the head, shape (n, classes)."""
        return softmax(each_times(self.embed(texts), self.weights.T) + self.intercepts)
