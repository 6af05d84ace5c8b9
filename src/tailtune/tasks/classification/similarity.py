"""Rungs that compare a text with one vector per label: label descriptions, or a few examples' mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from tailtune.predictors.base import Embed, Floats, load_arrays, save_arrays
from tailtune.tasks.classification.rungs import ClassifierRung, softmax

SHARPNESS = 20.0  # cosine differences are small; this spreads them into usable probabilities


class NearestVector(ClassifierRung):
    """Cosine similarity to one unit vector per label.

    Args:
        labels: The label set.
        vectors: One per label, shape (classes, 384), L2-normalised.
        fit_rows: Labelled rows the vectors were made of.
        embed: The encoder.
    """

    def __init__(self, labels: tuple[str, ...], vectors: Floats, fit_rows: int, embed: Embed) -> None:
        self.labels, self._vectors, self._fit_rows, self._embed = labels, vectors, fit_rows, embed

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Softmax over sharpened cosine similarities, shape (n, classes)."""
        return softmax(self._embed(texts) @ self._vectors.T * SHARPNESS)

    @property
    def fit_rows(self) -> int:
        """Labelled rows the vectors were made of."""
        return self._fit_rows

    def save(self, folder: Path) -> None:
        """Write vectors and labels."""
        save_arrays(folder, {"vectors": self._vectors}, {"labels": self.labels, "fit_rows": self._fit_rows})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Self:
        """Read vectors and labels."""
        arrays, meta = load_arrays(folder)
        return cls(tuple(meta["labels"]), arrays["vectors"], meta["fit_rows"], embed)


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Floats = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return result
