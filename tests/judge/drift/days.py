"""Made-up rows and months whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailtune.core.monitored import DayCounts, Sample
from tailtune.judge.drift import Reference, count

FIRST = 20_000
LABELS = tuple(f"label {number}" for number in range(20))
WIDTH = 16


def sample(
    random: np.random.Generator, rows: int, *, grown: float = 0.0, longer: float = 0.0, turned: float = 0.0
) -> Sample:
    """Rows of 20 equally frequent labels.

    Args:
        random: Where chance comes from.
        rows: How many.
        grown: So much more of the first label, as a share of all rows.
        longer: So much longer texts, of a usual spread of 3.
        turned: So far off along the first axis of the embedding.
    """
    shares = np.full(len(LABELS), (1 - grown) / len(LABELS))
    shares[0] += grown
    vectors = random.normal(size=(rows, WIDTH)).astype(np.float32)
    vectors[:, 0] += turned
    return Sample(
        rows,
        {"length": random.normal(10 + longer, 3, size=rows)},
        {"answer": [LABELS[place] for place in random.choice(len(LABELS), size=rows, p=shares)]},
        vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9),
    )


def counted(reference: Reference, days: Sequence[Sample]) -> list[DayCounts]:
    """A day each, one after the other."""
    made: list[DayCounts] = []
    for number, rows in enumerate(days):
        made.append(count(reference, rows, FIRST + number, made))
    return made
