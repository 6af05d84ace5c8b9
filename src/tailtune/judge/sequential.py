"""Sequential evaluation: buy rows in batches, analyse after each, and stop as soon as the question is settled.

All intervals here are confidence sequences: with the promised probability they contain the truth at every interim
analysis at once, so that looking is free and stopping may depend on what was seen. A row's outcome is a triple of items
right, wrong and missed; a classification row is (1, 0, 0) when right and (0, 1, 1) when not, so that micro F1 is
accuracy.

They come from tests by betting: evidence about a mean of bounded values that may be looked at after every row. A
gambler starts with 1 and bets, row after row, that a mean lies above 0. While it does not, capital has an expected
value of 1 at most, and by Ville's inequality (1939) it ever reaches 1/a with probability a at most: however often
somebody looks, and whenever he stops. Nothing is asymptotic; rows need only be bounded. Capital is the mean over 24
gamblers, each with one constant bet (a mixture, after Robbins 1970). So it depends on sums over rows, not on their
order, and an interim analysis costs the same however many there were. The bets and the inversion into an interval are
those of Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS B 86(1).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate, Row
from tailtune.core.reports import Settled

Floats = NDArray[np.float64]
Outcomes = NDArray[np.int64]

BETS: Floats = 1.0 / (1.0 + np.exp(-np.linspace(-5.0, 6.0, 24)))
"""Shares of the largest bet that cannot ruin: from 0.7 % (small effects, many rows) to 99.8 %."""
_STEPS = 15  # bisections: ends of intervals are exact to 1/32,768, and always on the safe side
# Differences are tested band by band; within a band all bets are the same, so that what is rejected is nested.
_BANDS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0)
_OF_ONE = 0.05  # share of a difference's error that is spent on where the other side's own F1 lies


@dataclass(frozen=True)
class InterimAnalysis:
    """One per interim analysis of a rung: what the rows bought so far say.

    Attributes:
        settled: Why no more rows need be bought; None while something is open.
        quality: Micro F1 of the rung, with its confidence sequence.
        difference: Micro F1 of the rung − that of the best so far, with its confidence sequence; None without a best.
    """

    settled: Settled | None
    quality: Estimate
    difference: Estimate | None


def quality_sequence(outcomes: Outcomes, most_items: int, alpha: float = 0.05) -> Estimate:
    """Micro F1 with its confidence sequence.

    Args:
        outcomes: Items right, wrong and missed of each row bought so far, shape (n, 3).
        most_items: Items that a row may have at most: 1 for a classification, the fields of an extraction. A model can
            list more than anybody foresaw; such a row weighs as much as one of so many, in its own proportions.
        alpha: Probability that the interval misses the truth at any interim analysis, both sides together.

    Returns:
        The measured F1 within its interval, 0 to 1; all NaN when nothing was answered nor expected.

    Raises:
        ValueError: The shape is wrong, or a count is negative.
    """
    (rows,) = _shares(most_items, outcomes)
    return _f1(rows, len(outcomes), alpha)


def difference_sequence(first: Outcomes, second: Outcomes, most_items: int, alpha: float = 0.05) -> Estimate:
    """Difference of micro F1, first − second, paired by row, with its confidence sequence.

    Of each side's alpha / 2, 5 % are spent on an interval for the other predictor's own F1, the rest on the difference
    given any F1 in there. With one item a row the difference does not depend on it, and this is the paired mean of
    right − right at 95 % of alpha.

    Args:
        first: Outcomes of the first predictor, shape (n, 3).
        second: The same for the second, same rows in the same order.
        most_items: Items that a row may have at most.
        alpha: Probability that the interval misses the truth at any interim analysis, both sides together.

    Returns:
        The measured difference within its interval, −1 to 1; all NaN when a side has nothing answered nor expected.

    Raises:
        ValueError: The two differ in shape, or as for `quality_sequence`.
    """
    shares, other = _shares(most_items, first, second)
    value = shares.f1 - other.f1
    if math.isnan(value):
        return _nothing(len(first))
    around = alpha / 2 * _OF_ONE
    level = alpha / 2 - around
    low = gap_low(shares, other, _interval(other, around), level)
    high = -gap_low(other, shares, _interval(shares, around), level)
    return Estimate(value=value, low=min(low, value), high=max(high, value), rows=len(first))


def interim_analysis(
    outcomes: Outcomes,
    best: Outcomes | None,
    *,
    most_items: int,
    needed: float,
    target: float,
    min_effect: float,
    alpha: float = 0.05,
) -> InterimAnalysis:
    """Whether anything about a rung is still open.

    It is settled when the rung *stays*: it meets the target with head-room, by the rule of
    `constraints.meets_with_head_room` on its confidence sequence. Or when it *falls short*, that is, even the upper end
    is below what is needed, and its comparison with the best so far is settled as well: *better*, or *not better* by an
    effect worth having. Without a best, falling short is all there is to settle.

    Over all analyses a rung is settled wrongly with probability `alpha` at most: two sequences are looked at, two-sided
    at `alpha` each, but for any truth only one side of each can be wrong in a way that settles, at alpha / 2. (Staying
    is wrong below the target, falling short at or above what is needed; better is wrong at a gap of 0 or less, not
    better at `min_effect` or more.) For several rungs, hand in alpha / rungs (Bonferroni).

    Args:
        outcomes: Items right, wrong and missed of the rung's rows so far, shape (n, 3).
        best: The same rows of the best rung so far; None when there is none.
        most_items: Items that a row may have at most.
        needed: Quality that a rung must show to stay, `constraints.needed`.
        target: Quality that even the low end must reach.
        min_effect: Smallest difference that matters.
        alpha: Probability of settling wrongly, over all analyses of this rung.

    Raises:
        ValueError: As for `quality_sequence` and `difference_sequence`.
    """
    quality = quality_sequence(outcomes, most_items, alpha)
    difference = None if best is None else difference_sequence(outcomes, best, most_items, alpha)
    return InterimAnalysis(_settled(quality, difference, needed, target, min_effect), quality, difference)


def stratified(rows: Sequence[Row], keys: Callable[[str], Sequence[str]]) -> list[int]:
    """An order in which every beginning has each class in proportion, less than one row off.

    The k-th row of a class of m, by content hash, stands at (k + u) / m, u in 0 to 1 by the class's own hash: a
    systematic sample of each class. A fixed u of ½ would keep every class of less than five rows out of the first
    tenth, and rare classes are the hard ones; with u a beginning is unbiased.

    Betting stays valid. Rows of class c multiply a gambler's expected capital by 1 + bet · mean(c) each. In proportion
    that is exp(n Σ share(c) log(1 + bet · mean(c))), and the logarithm is concave: it is at most
    (1 + bet · mean)ⁿ, what rows drawn at random would give. What was one distribution with a wide spread is many with
    narrow ones, and capital only knows the wide bound. A class's last, broken row is there by chance u, which keeps
    the expectation below the same bound at every analysis; from one to the next this is exact where batches have whole
    rows of each class and close to it otherwise. `benchmarks/sequential.py` measures it.

    Args:
        rows: Rows that may be bought.
        keys: A row's label → what it counts under. Rows that count under several things, or none, have no strata:
            then the order is that of content hashes alone.

    Returns:
        Places in `rows`, each once; the same whatever the order of `rows`.
    """
    keyed = [tuple(keys(row.label)) for row in rows]
    strata = keyed if all(len(counted_under) == 1 for counted_under in keyed) else [()] * len(rows)
    members: dict[tuple[str, ...], list[int]] = {}
    for place in sorted(range(len(rows)), key=lambda at: (rows[at].id, rows[at].origin)):
        members.setdefault(strata[place], []).append(place)
    at = {}
    for stratum, places in members.items():
        shift = int(hashlib.sha256("\x1f".join(stratum).encode()).hexdigest()[:8], 16) / 16**8
        at.update({place: (rank + shift) / len(places) for rank, place in enumerate(places)})
    return sorted(at, key=lambda place: (at[place], rows[place].id, rows[place].origin))


def _settled(
    quality: Estimate, difference: Estimate | None, needed: float, target: float, min_effect: float
) -> Settled | None:
    if quality.value >= needed and quality.low >= target:
        return "stays"
    if not quality.high < needed:
        return None
    if difference is None:
        return "falls short"
    if difference.low > 0:
        return "better"
    return "not better" if difference.high < min_effect else None


def _f1(rows: Shares, count: int, alpha: float) -> Estimate:
    value = rows.f1
    if math.isnan(value):
        return _nothing(count)
    low, high = _interval(rows, alpha)
    return Estimate(value=value, low=min(low, value), high=max(high, value), rows=count)


def _interval(rows: Shares, alpha: float) -> tuple[float, float]:
    return f1_low(rows, alpha / 2), f1_high(rows, alpha / 2)


def _nothing(count: int) -> Estimate:
    return Estimate(value=math.nan, low=math.nan, high=math.nan, rows=count)


def _shares(most_items: int, *predictors: Outcomes) -> tuple[Shares, ...]:
    """Hits and sizes of every predictor, equal rows put together; a row that has more than it may is scaled down."""
    shapes = sorted({counts.shape for counts in predictors})
    if len(shapes) != 1 or shapes[0][1:] != (3,):
        raise ValueError(f"outcomes have shapes {shapes}; expected (n, 3), the same for both sides")
    parts, times = np.unique(np.concatenate(predictors, axis=1), axis=0, return_counts=True)
    if parts.size and parts.min() < 0:
        raise ValueError("outcomes have a negative count")
    made = []
    for right, wrong, missed in np.split(parts.T.astype(np.float64), len(predictors)):
        sizes = 2 * right + wrong + missed
        largest = np.maximum(sizes, 2 * most_items)
        made.append(Shares(2 * right / largest, sizes / largest, times.astype(np.float64)))
    return tuple(made)


@dataclass(frozen=True)
class Shares:
    """One per predictor and set of rows; equal rows may stand together.

    Attributes:
        hits: Twice a row's right items, as a share of the largest possible sum, 0 to 1, shape (n,).
        sizes: Its items answered and expected, as a share of the same sum, at least `hits`, 0 to 1, shape (n,).
        times: How many rows are so, shape (n,).
    """

    hits: Floats
    sizes: Floats
    times: Floats

    @property
    def f1(self) -> float:
        """Micro F1, the ratio of the two means; NaN when nothing was answered nor expected."""
        size = float(self.times @ self.sizes)
        return float(self.times @ self.hits) / size if size > 0 else math.nan

    @property
    def misses(self) -> Shares:
        """The same rows with right and not right exchanged: its F1 is 1 − F1."""
        return Shares(self.sizes - self.hits, self.sizes, self.times)


def log_capital(values: Floats, times: Floats) -> Floats:
    """Log of each gambler's capital, shape (24,).

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
    is linear in t, its logarithm concave: over an interval of t each gambler has least at one of the two ends, and
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
