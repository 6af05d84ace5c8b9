"""A frozen encoder with a linear head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tailtune.predictors.base import Embed, Floats, load_arrays, save_arrays
from tailtune.tasks.classification.linear import fit_linear
from tailtune.tasks.classification.rungs import ClassifierRung, ClassifyContext, label_index, softmax

STRENGTH = 20.0


class Probe(ClassifierRung):
    """Logistic regression on L2-normalised embeddings."""

    def __init__(self, labels: tuple[str, ...], weights: Floats, intercepts: Floats, rows: int, embed: Embed) -> None:
        self.labels, self._weights, self._intercepts = labels, weights, intercepts
        self._rows, self._embed = rows, embed

    @classmethod
    def fit(cls, context: ClassifyContext) -> Probe:
        """Fit the head on the train rows' embeddings."""
        labels = tuple(context.labels)
        features = context.embed([row.text for row in context.rows])
        weights, intercepts = fit_linear(features, label_index(labels, context.rows), len(labels), STRENGTH)
        return cls(labels, weights, intercepts, len(context.rows), context.embed)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Softmax of the head, shape (n, classes)."""
        return softmax(self._embed(texts) @ self._weights.T + self._intercepts)

    @property
    def fit_rows(self) -> int:
        """Every train row."""
        return self._rows

    def save(self, folder: Path) -> None:
        """Write the head."""
        arrays = {"weights": self._weights, "intercepts": self._intercepts}
        save_arrays(folder, arrays, {"labels": self.labels, "rows": self._rows})

    @classmethod
    def load(cls, folder: Path, embed: Embed) -> Probe:
        """Read the head."""
        arrays, meta = load_arrays(folder)
        return cls(tuple(meta["labels"]), arrays["weights"], arrays["intercepts"], meta["rows"], embed)
