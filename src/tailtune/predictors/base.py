"""What every task's predictors share: their protocol, the vectors they share, and how a rung is kept on disk."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tailtune.core.json_text import read_object
from tailtune.core.records import Answer, Row

Floats = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Floats]  # texts → (n, 384), L2-normalised


@runtime_checkable
class Predictor(Protocol):
    """Answers rows and says what each answer cost. Ladder, evaluation and serving know nothing else of a model."""

    def answer(self, texts: Sequence[str]) -> Sequence[Answer]:
        """One answer per text, in order."""


@dataclass(frozen=True, kw_only=True)
class FitContext:
    """One per ladder: what a rung may learn from. Each task adds what its own rungs need.

    Attributes:
        rows: Train rows, capped by ladder.max_fit_rows.
        embed: The embedded encoder.
        seed: Of every choice.
    """

    rows: Sequence[Row]
    embed: Embed
    seed: int = 17


C = TypeVar("C", bound=FitContext)


class Rung(ABC, Generic[C]):
    """A predictor the ladder measures: fitted in seconds, saved as arrays and JSON, loaded with the encoder alone.

    Attributes:
        fit_rows: Labelled rows needed to answer.
    """

    fit_rows: int

    @classmethod
    @abstractmethod
    def fit(cls, context: C) -> Self:
        """Fit or index the train rows."""

    @abstractmethod
    def answer(self, texts: Sequence[str]) -> Sequence[Answer]:
        """One answer per text, in order."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything needed to answer into an empty folder (safetensors and JSON only)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, embed: Embed) -> Self:
        """Read what `save` wrote."""


def each_times(rows: Floats, matrix: Floats) -> Floats:
    """Each row times a matrix, (n, a) and (a, b) → (n, b), to the bit as it is alone.

    A product of all rows at once is rounded differently in other company, and a text's answer must not depend on what
    it is asked with.
    """
    product: Floats = (rows[:, None] @ matrix)[:, 0]
    return product


def softmax(scores: NDArray[np.floating]) -> Floats:
    """Probabilities over the last axis, shape kept."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Floats = (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result


class CachedEmbed:
    """An encoder that remembers the texts it was warmed with.

    Latency must not be timed through the cache: `plain` is the encoder without it.

    Limit: 384 × 4 bytes per remembered text.
    """

    def __init__(self, plain: Embed) -> None:
        self.plain = plain
        self._row: dict[str, int] = {}
        self._vectors: Floats = np.empty((0, 384), dtype=np.float32)
        self.timing = False

    def remember(self, texts: Sequence[str], vectors: Floats) -> None:
        """Keep the vectors of texts, shape (n, 384)."""
        start = len(self._vectors)
        self._vectors = np.concatenate([self._vectors, vectors])
        self._row.update({text: start + i for i, text in enumerate(texts)})

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Vectors of the texts, shape (n, 384); remembered ones are not encoded again."""
        rows = [] if self.timing else [self._row.get(text, -1) for text in texts]
        if not rows or min(rows) < 0:
            return self.plain(texts)
        return self._vectors[rows]


_ARRAYS, _META = "arrays.safetensors", "rung.json"


def save_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
    """Write arrays and JSON values into a folder."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _ARRAYS)
    (folder / _META).write_text(json.dumps(meta, ensure_ascii=False) + "\n", encoding="utf-8")


def load_arrays(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `save_arrays` wrote."""
    from safetensors.numpy import load_file

    return load_file(folder / _ARRAYS), read_object(folder / _META)
