"""The score of a predictor, whatever the task, two scores compared, and the calibration of confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.core.reports import CalibrationBin, Paired
from tailtune.judge.counted import Counted, Places
from tailtune.judge.intervals import SWAPS, difference, interval, swap_test


@dataclass(frozen=True)
class Score:
    """One per predictor and set of rows.

    Attributes:
        right: Whether each row was answered wholly right, shape (n,).
        counted: Measure (core/measures.py) → its hits and sizes; the first is what the target is about.
        groups: Each row's group, shape (n,); None when rows are independent.
        ece: Expected calibration error, 0 to 1; NaN when a confidence is missing.
        invalid_rows: Rows without a valid answer; they count as not right, and are counted here.
        look_alike_rows: Rows answered with another label that looks like the right one; they count as not right.
    """

    right: NDArray[np.bool_]
    counted: dict[str, Counted]
    groups: Places | None
    ece: float
    invalid_rows: int
    look_alike_rows: int = field(default=0, kw_only=True)

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

    @cached_property
    def metrics(self) -> dict[str, Estimate]:
        """Measure → its value with its interval, in the order of `counted`."""
        return {name: interval(counted, self.groups) for name, counted in self.counted.items()}

    @property
    def metric(self) -> str:
        """The measure that the target is about."""
        return next(iter(self.counted))

    @property
    def quality(self) -> Estimate:
        """The measure that is compared with the target."""
        return self.metrics[self.metric]


def compare(
    first: Score, second: Score, names: tuple[str, str], metric: str | None = None, swaps: int = SWAPS
) -> Paired:
    """Two predictors on the same rows: the difference of a measure, its interval, and the paired test of that measure.

    Args:
        first: A score.
        second: Another one, of the same rows in the same order.
        names: What the two are called.
        metric: A measure of both; None for the one that the target is about.
        swaps: As for `intervals.swap_test`.

    Raises:
        ValueError: The two differ in rows, or there are none.
    """
    measure = first.metric if metric is None else metric
    ours, theirs = first.counted[measure], second.counted[measure]
    return Paired(
        first=names[0],
        second=names[1],
        metric=measure,
        difference=difference(ours, theirs, first.groups),
        only_first_right=int((first.right & ~second.right).sum()),
        only_second_right=int((second.right & ~first.right).sum()),
        worth_rows=_worth_rows(first, second),
        p=swap_test(ours, theirs, first.groups, swaps),
    )


def _worth_rows(first: Score, second: Score) -> float | None:
    """Independent rows that would show the difference in right rows as sharply; None where rows are independent."""
    if first.groups is None:
        return None
    ours, theirs = Counted.shares(first.right), Counted.shares(second.right)
    alone, together = difference(ours, theirs), difference(ours, theirs, first.groups)
    return min(1.0, ((alone.high - alone.low) / (together.high - together.low)) ** 2) * alone.rows


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int) -> tuple[CalibrationBin, ...]:
    """Rows in bins of equal mass by confidence; empty without rows, and when any confidence is missing.

    Source: equal-mass binning after Nguyen and O'Connor (2015); less biased than equal-width bins.
    """
    if not confidence.size or np.isnan(confidence).any():
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
