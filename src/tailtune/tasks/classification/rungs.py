"""What every classifier shares: probabilities over a fixed label set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Row
from tailtune.predictors.base import FitContext, Floats, LocalRung
from tailtune.predictors.timing import timed


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

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        """The most probable label of each text with its probability; local work costs 0 dollars."""
        if not texts:
            return []
        with timed("infer"):
            probabilities = self.probabilities(texts)
        best = probabilities.argmax(axis=1)
        return [Answer(self.labels[j], float(probabilities[i, j])) for i, j in enumerate(best)]


class ClassifierRung(Classifier, LocalRung[ClassifyContext]):
    """A classifier the ladder measures."""


def label_index(labels: Sequence[str], rows: Sequence[Row]) -> NDArray[np.int64]:
    """Position of each row's label in the label set, shape (n,)."""
    position = {label: i for i, label in enumerate(labels)}
    return np.array([position[row.label] for row in rows], dtype=np.int64)


def softmax(scores: NDArray[np.floating]) -> Floats:
    """Row-wise softmax, shape kept."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return result
