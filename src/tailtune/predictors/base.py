"""The one protocol of everything that answers rows: a rung, an adapter, later a prompted model or an endpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

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
    """A predictor the ladder measures: fitted in seconds, saved as arrays and JSON."""

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

    @property
    @abstractmethod
    def fit_rows(self) -> int:
        """Labelled rows needed to answer."""


class LocalRung(Rung[C]):
    """A rung that answers from its saved folder and the embedded encoder alone."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, embed: Embed) -> Self:
        """Read what `save` wrote."""
