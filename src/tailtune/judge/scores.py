"""The score of a predictor, whatever the task, and the calibration of its confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.core.reports import CalibrationBin


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
    def outcomes(self) -> NDArray[np.int64]:
        """Items of each row that were right, wrong and missed, shape (n, 3): what micro F1 is made of.

        A row that is one item is (1, 0, 0) when it is right and (0, 1, 1) otherwise, so that micro F1 is accuracy.
        """
        right = self.right.astype(np.int64)
        return np.stack([right, 1 - right, 1 - right], axis=1)

    @property
    def per_row(self) -> NDArray[np.float64]:
        """The score of each row in [0, 1], shape (n,): F1 over its items; where it has none, whether it is right."""
        hits, missing = 2.0 * self.outcomes[:, 0], self.outcomes[:, 1:].sum(axis=1)
        items = hits + missing
        return np.where(items > 0, hits / np.maximum(items, 1), self.right)

    @property
    def quality(self) -> Estimate:
        """The measure that is compared with the target."""
        return next(iter(self.metrics.values()))


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int) -> tuple[CalibrationBin, ...]:
    """Rows in bins of equal mass by confidence; empty when any confidence is missing.

    Source: equal-mass binning after Nguyen and O'Connor (2015); less biased than equal-width bins.
    """
    if np.isnan(confidence).any():
        return ()
    order = np.argsort(confidence, kind="stable")
    return tuple(
        CalibrationBin(
            confidence=float(confidence[rows].mean()), accuracy=float(right[rows].mean()), rows=int(rows.size)
        )
        for rows in np.array_split(order, min(bins, order.size))
    )


def calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Mean gap between confidence and accuracy, weighted by rows; NaN without bins."""
    rows = sum(item.rows for item in bins)
    return sum(item.rows * abs(item.confidence - item.accuracy) for item in bins) / rows if rows else math.nan
