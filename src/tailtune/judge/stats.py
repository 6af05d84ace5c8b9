"""Intervals and paired tests. Pure: the same counts and seed give the same figures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.core.reports import Paired

SIGNIFICANT = 0.05
"""Two-sided level below which a paired test speaks."""
_Z95 = 1.959963984540054


def wilson(right: int, rows: int) -> Estimate:
    """Share of right answers with its 95 % Wilson score interval.

    Args:
        right: Rows answered right, 0 to rows.
        rows: Rows asked.

    Returns:
        Estimate in 0 to 1; all NaN when no rows were asked.

    Source: Wilson (1927); recommended over the Wald interval by Brown, Cai and DasGupta (2001).
    """
    if rows == 0:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    share, z2 = right / rows, _Z95**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = _Z95 * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2)) / (1 + z2 / rows)
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == rows else min(1.0, centre + half)
    return Estimate(value=share, low=low, high=high, rows=rows)


def percentile_interval(value: float, samples: NDArray[np.float64], rows: int) -> Estimate:
    """A value with the 2.5 % and 97.5 % quantiles of its bootstrap samples."""
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
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    value = (only_first - only_second) / rows
    shares = np.array([only_first, only_second, rows - only_first - only_second]) / rows
    drawn = np.random.default_rng(seed).multinomial(rows, shares, size=resamples)
    samples = (drawn[:, 0] - drawn[:, 1]) / rows
    return Paired(
        first=names[0],
        second=names[1],
        difference=percentile_interval(value, samples, rows),
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar p-value from the discordant counts, 0 to 1."""
    from scipy.stats import binomtest

    discordant = only_first + only_second
    return 1.0 if discordant == 0 else float(binomtest(only_first, discordant, 0.5).pvalue)
