"""Tests by betting: evidence about a mean of bounded values that may be looked at after every row.

A gambler starts with 1 and bets, row after row, that a mean lies above 0. While it does not, capital has an expected
value of 1 at most, and by Ville's inequality (1939) it ever reaches 1/a with probability a at most: however often
somebody looks, and whenever he stops. Nothing is asymptotic; rows need only be bounded.

Capital is the mean over 24 gamblers, each with one constant bet (a mixture, after Robbins 1970). So it depends on
sums over rows, not on their order, and a look costs the same however many looks there were. The bets and the
inversion into an interval are those of Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables
by betting", JRSS B 86(1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BETS: Floats = 1.0 / (1.0 + np.exp(-np.linspace(-5.0, 6.0, 24)))
"""Shares of the largest bet that cannot ruin: from 0.7 % (small effects, many rows) to 99.8 %."""
_STEPS = 15  # bisections: ends of intervals are exact to 1/32,768, and always on the safe side
# Differences are tested band by band; within a band all bets are the same, so that what is rejected is nested.
_BANDS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0)


@dataclass(frozen=True)
class Shares:
    """One per predictor and set of rows; equal rows may stand together.

    Attributes:
        hits: Twice a row's right items, as a share of the largest possible sum, 0 to 1, shape (n,).
        sizes: Its items given and wanted, as a share of the same sum, at least `hits`, 0 to 1, shape (n,).
        times: How many rows are so, shape (n,).
    """

    hits: Floats
    sizes: Floats
    times: Floats

    @property
    def f1(self) -> float:
        """Micro F1, the ratio of the two means; NaN when nothing was given nor wanted."""
        size = float(self.times @ self.sizes)
        return float(self.times @ self.hits) / size if size > 0 else math.nan

    @property
    def misses(self) -> Shares:
        """The same rows with right and not right exchanged: its F1 is 1 − F1."""
        return Shares(self.sizes - self.hits, self.sizes, self.times)


def log_capital(values: Floats, times: Floats) -> Floats:
    """Log of what each gambler holds, shape (24,).

    Args:
        values: One per row, at least −1, shape (n,); the bet is that their mean is above 0.
        times: How many rows have it, shape (n,).
    """
    result: Floats = times @ np.log1p(np.multiply.outer(values, BETS))
    return result


def mean_capital(logs: Floats) -> float:
    """Log of the mean capital of all gamblers."""
    most = float(logs.max())
    return most + math.log(float(np.exp(logs - most).mean()))


def f1_low(rows: Shares, level: float) -> float:
    """The largest F1 such that betting on more than that has won: a lower confidence sequence.

    F1 ≥ t exactly when hits − t · sizes has a mean of at least 0. For the bet that F1 > t a row pays
    (hits − t · sizes) / t, never below −1. That falls with t, so capital does, and bisection finds the end.

    Args:
        rows: Of the predictor.
        level: Probability of ever being above the truth.

    Returns:
        0 to the measured F1; 0 when nothing can be said.
    """

    def rejected(t: float) -> bool:
        return mean_capital(log_capital(rows.hits / t - rows.sizes, rows.times)) >= -math.log(level)

    return _last(rejected, 0.0, rows.f1) if rows.f1 > 0 else 0.0


def f1_high(rows: Shares, level: float) -> float:
    """The smallest F1 such that betting on less than that has won: an upper confidence sequence."""
    return 1.0 - f1_low(rows.misses, level)


def gap_low(first: Shares, second: Shares, second_f1: tuple[float, float], level: float) -> float:
    """The largest d such that betting on F1(first) − F1(second) > d has won, whatever F1(second) is.

    With u(t) = hits − t · sizes, a row pays u_first(t + d) − u_second(t), where t is the F1 of the second. If the gap
    is d at most, its mean is 0 at most. t is not known, so the bet must have won for every t that is left. The payment
    is linear in t, its logarithm concave: over an interval of t each gambler holds least at one of the two ends, and
    the mean of those least capitals is below capital at every t between.

    Args:
        first: Rows of one predictor.
        second: The same rows of the other, `times` the same.
        second_f1: Where the F1 of the second is taken to be; that it is not must be counted besides.
        level: Probability of ever being above the truth, while F1(second) lies there.

    Returns:
        −1 to the measured gap; −1 when nothing can be said.
    """
    ends = [first.hits - second.hits - t * (first.sizes - second.sizes) for t in second_f1]

    def rejected(d: float, largest_loss: float) -> bool:
        least = np.minimum(*(log_capital((end - d * first.sizes) / largest_loss, first.times) for end in ends))
        return mean_capital(least) >= -math.log(level)

    low = -1.0
    for top in _BANDS:
        largest_loss = 1.0 + top  # u_first(t + d) ≥ −max(t + d, 0) and u_second(t) ≤ 1 − t: no row pays less
        if not rejected(top, largest_loss):
            return _last(lambda d, loss=largest_loss: rejected(d, loss), low, top)  # type: ignore[misc]
        low = top
    return low


def _last(rejected: Callable[[float], bool], low: float, high: float) -> float:
    """The largest value known to be rejected: below `low` all are, at `high` none is."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low
