"""Tests over several comparisons, and of two independent shares. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tailtune.core.records import Estimate

SIGNIFICANT = 0.05
"""Two-sided level below which a paired test speaks."""
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
    low, high = score_ends(right / rows, rows)
    return Estimate(value=right / rows, low=low, high=high, rows=rows)


def score_ends(value: float, worth_rows: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share for the independent rows that it is worth; these need not be whole.

    Source: Wilson (1927); with the effective number of rows, Franco, Little, Louis and Slud (2019), who find it among
        the best for shares of surveys.
    """
    square = Z95**2 / worth_rows
    middle = (value + square / 2) / (1 + square)
    half = math.sqrt(value * (1 - value) * square + square**2 / 4) / (1 + square)
    return min(max(0.0, middle - half), value), max(min(1.0, middle + half), value)


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
