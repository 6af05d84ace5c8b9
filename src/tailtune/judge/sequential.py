"""Sequential evaluation: buy rows in batches, look after each, and stop as soon as the question is settled.

All intervals here are confidence sequences: with the promised probability they hold the truth at every look at once,
so that looking is free and stopping may depend on what was seen. How: `judge/betting.py`. A row's outcome is a triple
of items right, wrong and missed; a classification row is (1, 0, 0) when right and (0, 1, 1) when not, so that micro F1
is accuracy.
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
from tailtune.judge.betting import Shares, f1_high, f1_low, gap_low

Outcomes = NDArray[np.int64]
_OF_ONE = 0.05  # share of a difference's error that is spent on where the other side's own F1 lies


@dataclass(frozen=True)
class Look:
    """One per look at a rung.

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
        alpha: Probability that the interval misses the truth at any look, both sides together.

    Returns:
        The measured F1 within its interval, 0 to 1; all NaN when nothing was given nor wanted.

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
        alpha: Probability that the interval misses the truth at any look, both sides together.

    Returns:
        The measured difference within its interval, −1 to 1; all NaN when a side has nothing given nor wanted.

    Raises:
        ValueError: The two differ in shape, or as for `quality_sequence`.
    """
    one, two = _shares(most_items, first, second)
    value = one.f1 - two.f1
    if math.isnan(value):
        return _nothing(len(first))
    around = alpha / 2 * _OF_ONE
    level = alpha / 2 - around
    low = gap_low(one, two, _interval(two, around), level)
    high = -gap_low(two, one, _interval(one, around), level)
    return Estimate(value=value, low=min(low, value), high=max(high, value), rows=len(first))


def look(
    outcomes: Outcomes,
    best: Outcomes | None,
    *,
    most_items: int,
    needed: float,
    target: float,
    min_effect: float,
    alpha: float = 0.05,
) -> Look:
    """Whether anything about a rung is still open.

    It is settled when the rung *stays*: it meets the target with head-room, by the rule of
    `constraints.meets_with_head_room` on its confidence sequence. Or when it *falls short*, that is, even the upper end
    is below what is needed, and its comparison with the best so far is settled as well: *better*, or *not better* by an
    effect worth having. Without a best, falling short is all there is to settle.

    Over all looks a rung is settled wrongly with probability `alpha` at most: two sequences are looked at, two-sided
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
        alpha: Probability of settling wrongly, over all looks at this rung.

    Raises:
        ValueError: As for `quality_sequence` and `difference_sequence`.
    """
    quality = quality_sequence(outcomes, most_items, alpha)
    difference = None if best is None else difference_sequence(outcomes, best, most_items, alpha)
    return Look(_settled(quality, difference, needed, target, min_effect), quality, difference)


def stratified(rows: Sequence[Row], keys: Callable[[str], Sequence[str]]) -> list[int]:
    """An order in which every beginning holds each class in proportion, less than one row off.

    The k-th row of a class of m, by content hash, stands at (k + u) / m, u in 0 to 1 by the class's own hash: a
    systematic sample of each class. A fixed u of ½ would keep every class of less than five rows out of the first
    tenth, and rare classes are the hard ones; with u a beginning is unbiased.

    Betting stays valid. Rows of class c multiply a gambler's expected capital by 1 + bet · mean(c) each. In proportion
    that is exp(n Σ share(c) log(1 + bet · mean(c))), and the logarithm is concave: it is at most
    (1 + bet · mean)ⁿ, what rows drawn at random would give. What was one distribution with a wide spread is many with
    narrow ones, and capital only knows the wide bound. A class's last, broken row is there by chance u, which keeps
    the expectation below the same bound at every look; from look to look this is exact where batches hold whole rows
    of each class and close to it otherwise. `benchmarks/sequential.py` measures it.

    Args:
        rows: Rows that may be bought.
        keys: A row's label → what it counts under. Rows that count under several things, or none, have no strata:
            then the order is that of content hashes alone.

    Returns:
        Places in `rows`, each once; the same whatever the order of `rows`.
    """
    held = [tuple(keys(row.label)) for row in rows]
    strata = held if all(len(one) == 1 for one in held) else [()] * len(rows)
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
        raise ValueError("outcomes hold a negative count")
    made = []
    for right, wrong, missed in np.split(parts.T.astype(np.float64), len(predictors)):
        sizes = 2 * right + wrong + missed
        largest = np.maximum(sizes, 2 * most_items)
        made.append(Shares(2 * right / largest, sizes / largest, times.astype(np.float64)))
    return tuple(made)
