"""Naive Bayes over named features: how much each speaks for each class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.base import Floats

_SMOOTHING = 0.03
_NEVER = -1e4  # log share of a class without examples
_DAMPING = 0.4  # features that say the same twice would make naive Bayes too sure


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
        shares = (counts[kept] + _SMOOTHING) / (priors + 2 * _SMOOTHING)
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


def softmax(scores: NDArray[np.floating]) -> Floats:
    """Probabilities over the last axis, shape kept."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Floats = (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result
