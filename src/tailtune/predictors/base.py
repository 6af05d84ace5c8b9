"""The one protocol of everything that answers rows: a rung, an adapter, later a prompted model or an endpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Row

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]  # texts → (n, 384), L2-normalised


@runtime_checkable
class Predictor(Protocol):
    """Answers rows and says what each answer cost. Ladder, evaluation and serving know nothing else of a model."""

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order."""


@dataclass(frozen=True)
class FitContext:
    """One per ladder: what a rung may learn from.

    Attributes:
        rows: Train rows, capped by ladder.max_fit_rows.
        labels: Label → description, in file order.
        embed: The embedded encoder.
        shots: Examples per class for rungs that use few.
        neighbours: Nearest rows for rungs that look them up.
        seed: Of every choice.
    """

    rows: Sequence[Row]
    labels: Mapping[str, str]
    embed: Embed
    shots: int
    neighbours: int
    seed: int = 17


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
        probabilities = self.probabilities(texts)
        best = probabilities.argmax(axis=1)
        return [Answer(self.labels[j], float(probabilities[i, j])) for i, j in enumerate(best)]


class Rung(Classifier):
    """A classifier the ladder measures: fitted in seconds, saved as arrays and JSON."""

    @classmethod
    @abstractmethod
    def fit(cls, context: FitContext) -> Rung:
        """Fit or index the train rows."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything needed to answer into an empty folder (safetensors and JSON only)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, embed: Embed) -> Rung:
        """Read what `save` wrote."""

    @property
    @abstractmethod
    def fit_rows(self) -> int:
        """Labelled rows needed to answer."""


def label_index(labels: Sequence[str], rows: Sequence[Row]) -> NDArray[np.int64]:
    """Position of each row's label in the label set, shape (n,)."""
    position = {label: i for i, label in enumerate(labels)}
    return np.array([position[row.label] for row in rows], dtype=np.int64)


def softmax(scores: NDArray[np.floating]) -> Floats:
    """Row-wise softmax, shape kept."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return result
