"""Made-up outcomes of rows, for tests of what is judged from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Outcomes = NDArray[np.int64]
FIELDS = 12


def of_right(right: NDArray[np.bool_]) -> Outcomes:
    """Rows of a classification: (1, 0, 0) when right, (0, 1, 1) when not."""
    hits = right.astype(np.int64)
    return np.stack([hits, 1 - hits, 1 - hits], axis=1)


def drawn(random: np.random.Generator, rows: int, quality: float) -> Outcomes:
    """A classification that is right with this probability."""
    return of_right(random.random(rows) < quality)


def drawn_pair(random: np.random.Generator, rows: int, first: float, second: float) -> tuple[Outcomes, Outcomes]:
    """Two classifications of the same rows whose answers agree as far as they can."""
    luck = random.random(rows)
    return of_right(luck < first), of_right(luck < second)


def extracted(random: np.random.Generator, rows: int, right: float) -> Outcomes:
    """An extraction: rows differ in how many of 12 fields they have, and in how hard they are.

    A field that is not right is missed by two, and wrongly answered by one of them.
    """
    expected = random.integers(1, FIELDS + 1, size=rows)
    hits = random.binomial(expected, random.beta(right * 8, (1 - right) * 8, size=rows))
    return np.stack([hits, random.binomial(expected - hits, 0.5), expected - hits], axis=1)


def true_f1(right: float) -> float:
    """Micro F1 of `extracted` over endless rows: 2h / (2h + w + m) with h = right, w = half of what is not, m all."""
    return 2 * right / (2 * right + 1.5 * (1 - right))
