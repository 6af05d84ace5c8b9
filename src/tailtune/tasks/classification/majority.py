"""The floor of the ladder: always the most frequent label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tailtune.predictors.base import Embed, Floats, load_arrays, save_arrays
from tailtune.tasks.classification.rungs import ClassifierRung, ClassifyContext


class Majority(ClassifierRung):
    """Answers every row with the label shares of the train rows."""

    def __init__(self, labels: tuple[str, ...], shares: Floats, rows: int) -> None:
        self.labels, self._shares, self._rows = labels, shares, rows

    @classmethod
    def fit(cls, context: ClassifyContext) -> Majority:
        """Count the labels."""
        counts = Counter(row.label for row in context.rows)
        shares = np.array([counts[label] for label in context.labels], dtype=np.float32)
        return cls(tuple(context.labels), shares / shares.sum(), len(context.rows))

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The same shares for every text, shape (n, classes)."""
        return np.tile(self._shares, (len(texts), 1))

    @property
    def fit_rows(self) -> int:
        """Every train row is counted."""
        return self._rows

    def save(self, folder: Path) -> None:
        """Write shares and labels."""
        save_arrays(folder, {"shares": self._shares}, {"labels": self.labels, "rows": self._rows})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Majority:
        """Read shares and labels; the encoder is not needed."""
        arrays, meta = load_arrays(folder)
        return cls(tuple(meta["labels"]), arrays["shares"], meta["rows"])
