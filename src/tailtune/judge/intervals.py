"""One interval for every measure, one for every paired difference, and one paired test: rows may come in groups.

**A measure** (Korn and Graubard 1998, the interval of official health surveys): its variance over groups says how many
independent rows it is worth, and Clopper and Pearson's exact interval is taken for so many. Independent rows that are
right or not are worth what they are, and the interval is the exact one. **A difference** of two measures on the same
rows (after Bonett and Price 2012): its variance over groups, with two groups added that differ one way and the other.
Both widen by Student's t where few groups make the variance, in number or because a few groups hold most of it
(degrees of freedom by the kurtosis of what groups add, after Satterthwaite 1946). **A mean of parts**, such as macro
F1, varies by more than its rows show where parts have few rows: what each part's own mean took is given back (as
strata of one unit are collapsed, Cochran 1977). **The test** swaps the two predictors' answers, group by group, at
random: if neither is better, nothing shows who gave which. For independent rows that are right or not it is McNemar's
exact test.

`benchmarks/coverage.py` measures the coverage of both intervals beside Wilson's and the bootstrap's.

Limits: where nearly all error sits in a few rows that failed altogether, and none of them was drawn, no interval knows.
Nor does it know of labels that no row was expected to have: macro F1 is that of the others.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from tailtune.core.records import Estimate
from tailtune.judge.counted import Counted, Floats, Places, summed
from tailtune.judge.shares import LEVEL, exact_ends

SWAPS = 10_000
_ENUMERATED = 12  # groups up to which every swap is tried
_DRAWN = 2_000  # groups up to which swaps are drawn; beyond, their sum is normal
_BLOCK = 4_000_000  # random signs in memory at once


def interval(counted: Counted, groups: Places | None = None, level: float = LEVEL) -> Estimate:
    """A measure with its interval, and how many independent rows it is worth.

    Args:
        counted: Hits and sizes of each row.
        groups: Each row's group, shape (rows,); None when rows are independent.
        level: Probability that the interval misses the truth.

    Returns:
        Estimate in 0 to 1; all NaN when nothing counts.
    """
    value = counted.value
    if math.isnan(value):
        return Estimate(value=value, low=value, high=value, rows=counted.rows)
    alone = groups is None and counted.is_plain
    worth = float(counted.row.size) if alone else _worth(counted, groups, level)
    low, high = exact_ends(value * worth, worth, level)
    rows = counted.row.size if counted.is_plain else counted.rows
    count = None if groups is None else int(np.unique(groups[counted.row]).size)
    return Estimate(value=value, low=min(low, value), high=max(high, value), rows=rows, groups=count, worth_rows=worth)


def _worth(counted: Counted, groups: Places | None, level: float) -> float:
    """Independent rows that a measure is worth: those that would give it the same variance, fewer by Student's t."""
    counting = np.unique(counted.row if groups is None else groups[counted.row])  # of a label's recall, its own rows
    pulls = summed(counted.influence(), groups)[counting]
    variance, freedom = _variance(pulls, pulls.size)
    variance += hidden_variance(counted)
    value = counted.value
    if variance <= 1e-18 or not 0 < value < 1:  # nothing varies: each group is worth a row
        worth, freedom = float(pulls.size) if counted.parts == 1 else _even_rows(counted, groups), math.inf
    else:
        worth = value * (1 - value) / variance
    if counted.is_plain:
        worth = min(worth, float(counted.row.size))
    return max(1.0, worth / _widening(freedom, level) ** 2)


def _even_rows(counted: Counted, groups: Places | None) -> float:
    """How many rows of equal weight weigh as evenly: a row of a rare label weighs more in macro F1 than a common one.

    Source: the effective sample size of unequal weights, Kish (1965), "Survey Sampling".
    """
    share = counted.sizes / np.maximum(counted.part_sizes, 1e-9)[counted.part]
    weights = summed(np.bincount(counted.row, share, counted.rows).astype(np.float64), groups)
    return float(weights.sum() ** 2 / (weights**2).sum())


def hidden_variance(first: Counted, second: Counted | None = None) -> float:
    """Variance that a mean of parts has, and that its rows do not show; of a difference where there is a second.

    A row's pull is its distance from the value of its own part. A label that was expected once is its own value, so it
    seems not to vary at all: each part uses up one of its rows. That row is given back to each part, with the mean
    square that rows have around the value of all parts together, as where a stratum has a single unit. A part of many
    rows gains next to nothing; a measure of a single part, such as accuracy or field F1, nothing at all.

    Assumes that rows of rare parts vary as those of common ones do. They are taken as alone here: the variance of
    groups is in the pulls already.

    Args:
        first: Of the first predictor.
        second: Of the second, same rows in the same order and the same parts.

    Returns:
        At least 0; 0 with fewer than two entries.

    Source: strata that are collapsed to estimate a variance, Cochran (1977), "Sampling Techniques", chapter 5A; beside
        the delta method for macro F1 by Takahashi, Yamamoto, Kuchiba and Koyama (2022), whose variance is what pulls
        give.
    """
    if first.parts == 1:
        return 0.0
    left, sizes = _around_all(first), first.part_sizes
    if second is not None:
        entries = np.concatenate([each.row * each.parts + each.part for each in (first, second)])
        _, place = np.unique(entries, return_inverse=True)  # a row's entries of both predictors in one part, as one
        left = np.bincount(place, np.concatenate([left, -_around_all(second)])).astype(np.float64)
        sizes = (sizes + second.part_sizes) / 2
    if left.size < 2:
        return 0.0
    sizes = sizes[sizes > 0]
    return float((left**2).sum() / (left.size - 1) * (1 / sizes**2).sum()) / sizes.size**2


def _around_all(counted: Counted) -> Floats:
    """Hits of each entry − those expected of its size by hits / sizes of all parts together, shape (m,)."""
    left: Floats = counted.hits - counted.sizes * (counted.hits.sum() / counted.sizes.sum())
    return left


def _variance(pulls: Floats, count: int, added: float = 0.0) -> tuple[float, float]:
    """Variance of the sum of what groups add, and its degrees of freedom.

    Args:
        pulls: What each group adds, with mean 0, shape (g,).
        count: How many groups there are, those added included.
        added: Size of two more groups, one either way.
    """
    squares, fourths = float((pulls**2).sum()) + 2 * added**2, float((pulls**4).sum()) + 2 * added**4
    if count < 2 or squares <= 0:
        return 0.0, 1.0
    variance = squares * count / (count - 1)
    uneven = fourths - squares**2 / count
    freedom = 2 * squares**2 / uneven if uneven > 1e-9 * squares**2 else math.inf
    return variance, min(max(freedom, 1.0), count - 1)


def _widening(freedom: float, level: float) -> float:
    """Student's t over the normal quantile."""
    from scipy.stats import norm, t

    return 1.0 if math.isinf(freedom) else float(t.ppf(1 - level / 2, freedom) / norm.ppf(1 - level / 2))


def difference(first: Counted, second: Counted, groups: Places | None = None, level: float = LEVEL) -> Estimate:
    """A measure of the first predictor − that of the second, on the same rows, with its interval.

    Args:
        first: Of the first predictor.
        second: Of the second, same rows in the same order.
        groups: Each row's group, shape (rows,); None when rows are independent.
        level: Probability that the interval misses the truth.

    Returns:
        Estimate in −1 to 1; all NaN where either is.

    Raises:
        ValueError: The two differ in rows, or there are none.
    """
    if first.rows != second.rows or first.rows == 0:
        raise ValueError(f"difference needs two equal, non-empty sets of rows, got {first.rows} and {second.rows}")
    value = first.value - second.value
    count = None if groups is None else int(groups.max()) + 1
    if math.isnan(value):
        return Estimate(value=value, low=value, high=value, rows=first.rows, groups=count)
    from scipy.stats import t

    pulls = summed(first.influence() - second.influence(), groups)
    size = pulls.size + 2
    variance, freedom = _variance(pulls, size, _usual(pulls))
    variance += hidden_variance(first, second)
    shrink = pulls.size / size
    half = float(t.ppf(1 - level / 2, freedom)) * math.sqrt(variance) * shrink
    low, high = max(-1.0, value * shrink - half), min(1.0, value * shrink + half)
    return Estimate(value=value, low=min(low, value), high=max(high, value), rows=first.rows, groups=count)


def least_difference(first: Counted, second: Counted, groups: Places | None = None, level: float = LEVEL) -> float:
    """How far the first predictor may be behind the second: the low end of `difference`, kept at few rows too.

    Where the first is behind by so much, answers differ: at least so often, each by what a group that differs usually
    adds. The low end never rests on a smaller variance than that, as in the score interval of Tango (1998).

    Args:
        first: Of the first predictor.
        second: Of the second, same rows in the same order.
        groups: Each row's group, shape (rows,); None when rows are independent.
        level: Probability that the whole interval misses the truth; half of it on this side.

    Returns:
        −1 to 1, at most the low end of `difference`; NaN where that is.
    """
    from scipy.stats import norm

    gap = difference(first, second, groups, level)
    if math.isnan(gap.value):
        return gap.value
    usual = _usual(summed(first.influence() - second.influence(), groups))
    reach = float(norm.ppf(1 - level / 2)) ** 2 * usual
    # The largest x for which (value + x)² = reach · x.
    middle = reach - 2 * gap.value
    under = middle**2 - 4 * gap.value**2
    behind = (middle + math.sqrt(under)) / 2 if middle > 0 and under > 0 else 0.0
    return max(-1.0, min(gap.low, -behind))


def _usual(pulls: Floats) -> float:
    """What a group that differs usually adds; where none does, what one row in so many would."""
    squares = float((pulls**2).sum())
    return math.sqrt(float((pulls**4).sum()) / squares) if squares > 1e-18 else 1 / pulls.size


def swap_test(
    first: Counted, second: Counted, groups: Places | None = None, swaps: int = SWAPS, seed: int = 17
) -> float:
    """Two-sided p-value of the two being equally good: their answers are swapped group by group.

    Args:
        first: Of the first predictor.
        second: Of the second, same rows in the same order.
        groups: Each row's group, shape (rows,); None when rows are independent.
        swaps: Swaps drawn where there are too many to try all, and too few groups for a normal sum.
        seed: Of the drawing.

    Returns:
        0 to 1; 1 when no group differs.

    Source: the paired randomisation test of Fisher (1935), for F1 as in Yeh (2000); where each group that differs
        weighs the same it is the exact binomial test of McNemar (1947).
    """
    hits, sizes = first.part_hits + second.part_hits, first.part_sizes + second.part_sizes
    pulls = summed(first.pulls(hits, sizes) - second.pulls(hits, sizes), groups)
    pulls = pulls[np.abs(pulls) > 1e-12]
    if not pulls.size:
        return 1.0
    weights = np.abs(pulls)
    if np.allclose(weights, weights[0], rtol=1e-9):
        from scipy.stats import binomtest

        return float(binomtest(int((pulls > 0).sum()), pulls.size, 0.5).pvalue)
    seen = abs(float(pulls.sum())) * (1 - 1e-9)
    if pulls.size <= _ENUMERATED:
        signs = np.array(list(product((-1.0, 1.0), repeat=pulls.size)))
        return float((np.abs(signs @ weights) >= seen).mean())
    if pulls.size > _DRAWN:
        return math.erfc(seen / math.sqrt(2 * float((weights**2).sum())))
    return (1 + _as_far(weights, seen, swaps, seed)) / (1 + swaps)


def _as_far(weights: Floats, seen: float, swaps: int, seed: int) -> int:
    """In how many drawn swaps the sum lies as far from 0 as it was seen to."""
    random, far, block = np.random.default_rng(seed), 0, max(1, _BLOCK // weights.size)
    for start in range(0, swaps, block):
        signs = random.integers(0, 2, size=(min(block, swaps - start), weights.size)) * 2 - 1
        far += int((np.abs(signs @ weights) >= seen).sum())
    return far
