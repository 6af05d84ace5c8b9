"""What a scorer gives back, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate


@dataclass(frozen=True)
class Score:
    """One per predictor and set of rows.

    Attributes:
        right: Whether each row was answered wholly right, shape (n,).
        metrics: Measure (core/measures.py) → estimate; the first is what the target is about.
        ece: Expected calibration error, 0 to 1; NaN when a confidence is missing.
        invalid_rows: Rows without a valid answer; they count as not right, and are counted here.
    """

    right: NDArray[np.bool_]
    metrics: dict[str, Estimate]
    ece: float
    invalid_rows: int

    @property
    def quality(self) -> Estimate:
        """What the target is held against."""
        return next(iter(self.metrics.values()))
