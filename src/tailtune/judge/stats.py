"""Intervals and paired tests. Pure: the same counts and seed give the same figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.core.reports import Paired

SIGNIFICANT = 0.05
"""Two-sided level below which a paired test speaks."""
_BLOCK_DRAWS = 1_000_000  # rows drawn at once, three arrays of 8 bytes each
Z95 = 1.959963984540054
"""Half the width of a two-sided 95 % interval of the normal distribution."""


def wilson(right: int, rows: int) -> Estimate:
    """Share of right answers with its 95 % Wilson score interval.

    Args:
        right: Rows answered right, 0 to rows.
        rows: Rows answered.

    Returns:
        Estimate in 0 to 1; all NaN when there are no rows.

    Source: Wilson (1927); recommended over the Wald interval by Brown, Cai and DasGupta (2001).
    """
    if rows == 0:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    from scipy.stats import binomtest

    share = right / rows
    ends = binomtest(right, rows, share).proportion_ci(0.95, method="wilson")
    return Estimate(value=share, low=float(ends.low), high=float(ends.high), rows=rows)


def percentile_interval(value: float, samples: NDArray[np.float64], rows: int) -> Estimate:
    """A value with the 2.5 % and 97.5 % quantiles of its bootstrap samples; none where either is NaN."""
    if math.isnan(value) or np.isnan(samples).all():
        return Estimate(value=value, low=value, high=value, rows=rows)
    low, high = (float(q) for q in np.nanquantile(samples, [0.025, 0.975]))
    return Estimate(value=value, low=min(low, value), high=max(high, value), rows=rows)


def paired(
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    names: tuple[str, str],
    resamples: int = 2000,
    seed: int = 17,
) -> Paired:
    """Compare two predictors on the same rows.

    Args:
        first: Whether the first predictor was right, shape (n,).
        second: The same for the second, same rows in the same order.
        names: What the two are called.
        resamples: Bootstrap resamples of rows.
        seed: Of the resampling.

    Returns:
        Accuracy difference first − second with a paired percentile bootstrap interval, and the exact two-sided
        McNemar p-value over the discordant rows (1 when there are none).

    Raises:
        ValueError: The two differ in length, or there are no rows.

    Source: Efron and Tibshirani (1993) for the bootstrap; McNemar (1947), exact form.
    """
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"paired needs two equal, non-empty rows of answers, got {first.shape} and {second.shape}")
    rows = int(first.size)
    only_first, only_second = _discordant(first, second)
    value = (only_first - only_second) / rows
    shares = np.array([only_first, only_second, rows - only_first - only_second]) / rows
    drawn = np.random.default_rng(seed).multinomial(rows, shares, size=resamples)
    samples = (drawn[:, 0] - drawn[:, 1]) / rows
    return _compared(names, "accuracy", percentile_interval(value, samples, rows), first, second)


def paired_counts(
    first: tuple[NDArray[np.int64], NDArray[np.bool_]],
    second: tuple[NDArray[np.int64], NDArray[np.bool_]],
    names: tuple[str, str],
    metric: str = "field_f1",
    resamples: int = 2000,
    seed: int = 17,
) -> Paired:
    """Compare two predictors by micro F1 on the same rows.

    Args:
        first: Of the first predictor: items right, wrong and missed, shape (n, 3), and whether each row was wholly
            right, shape (n,).
        second: The same for the second, same rows in the same order.
        names: What the two are called.
        metric: What their F1 is called.
        resamples: Bootstrap resamples of rows.
        seed: Of the resampling.

    Returns:
        Difference of micro F1, first − second, with a paired percentile bootstrap interval over rows (items of one row
        are not independent), and the exact two-sided McNemar p-value over rows that one alone had wholly right.

    Raises:
        ValueError: The two differ in rows, or there are none.
    """
    shapes = {(*counts.shape, *right.shape) for counts, right in (first, second)}
    if shapes != {(first[1].size, 3, first[1].size)} or first[1].size == 0:
        raise ValueError(f"paired_counts needs two equal, non-empty rows of counts (n, 3), got {sorted(shapes)}")
    columns = np.concatenate([first[0], second[0]], axis=1)

    def gap(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        first_f1, second_f1 = (
            f1(right, right + wrong, right + missed) for right, wrong, missed in (sums.T[:3], sums.T[3:])
        )
        result: NDArray[np.float64] = first_f1 - second_f1
        return result

    value = float(gap(columns.sum(axis=0, dtype=np.float64)[None, :])[0])
    samples = gap(row_bootstrap(columns, resamples, seed))
    return _compared(names, metric, percentile_interval(value, samples, len(columns)), first[1], second[1])


def _compared(
    names: tuple[str, str], metric: str, difference: Estimate, first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> Paired:
    """A difference with McNemar's test over the rows that one of the two alone had wholly right."""
    only_first, only_second = _discordant(first, second)
    return Paired(
        first=names[0],
        second=names[1],
        metric=metric,
        difference=difference,
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=mcnemar(only_first, only_second),
    )


def _discordant(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int]:
    """Rows that only the first has right, and rows that only the second has right."""
    return int((first & ~second).sum()), int((second & ~first).sum())


def row_bootstrap(columns: NDArray[np.integer], resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums of columns over resampled rows.

    Args:
        columns: Counts, shape (n, c).
        resamples: How many times n rows are drawn with replacement.
        seed: Of the drawing.

    Returns:
        Sums, shape (resamples, c). Rows are drawn in blocks: memory grows with n + resamples, not with their product.
    """
    random, rows = np.random.default_rng(seed), len(columns)
    block, counts = max(1, _BLOCK_DRAWS // rows), columns.astype(np.float64)
    sums = np.empty((resamples, columns.shape[1]))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = random.integers(0, rows, size=(size, rows)) + np.arange(size)[:, None] * rows
        times = np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows)
        sums[start : start + size] = times.astype(np.float64) @ counts
    return sums


def f1(hits: NDArray[np.float64], answered: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonic mean of hits / answered and hits / expected, element by element; NaN where both are 0."""
    return ratio(2 * hits, answered + expected)


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient part / whole, element by element; NaN where the whole is 0."""
    result = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def parted(first: Estimate, second: Estimate) -> tuple[Estimate, float]:
    """How far two shares, measured on two independent sets of rows, lie apart.

    Returns:
        First − second with its 95 % interval (Newcombe's, from Wilson's), and Fisher's exact two-sided p-value.

    Source: Newcombe (1998), method 10; Fisher (1935).
    """
    from scipy.stats import fisher_exact

    right = [round(share.value * share.rows) for share in (first, second)]
    ours, theirs = (wilson(count, share.rows) for count, share in zip(right, (first, second), strict=True))
    gap = ours.value - theirs.value
    p = fisher_exact([[right[0], first.rows - right[0]], [right[1], second.rows - right[1]]]).pvalue
    low = gap - math.hypot(ours.value - ours.low, theirs.high - theirs.value)
    high = gap + math.hypot(ours.high - ours.value, theirs.value - theirs.low)
    return Estimate(value=gap, low=low, high=high, rows=second.rows), float(p)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar p-value from the discordant counts, 0 to 1."""
    from scipy.stats import binomtest

    discordant = only_first + only_second
    return 1.0 if discordant == 0 else float(binomtest(only_first, discordant, 0.5).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted so that all comparisons together err with the level they are compared with.

    The smallest is multiplied by the number of comparisons, the next by one less, and so on; none becomes smaller than
    one that was smaller before. Valid however the comparisons depend on each other.

    Args:
        p: Of each comparison, 0 to 1.

    Returns:
        Adjusted, in the same order, 0 to 1, none smaller than it was.

    Raises:
        ValueError: A value is outside 0 to 1, or NaN.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    if not all(0 <= value <= 1 for value in p):
        raise ValueError(f"p-values are {list(p)}; expected 0 to 1")
    adjusted, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda at: p[at])):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = least
    return adjusted
