"""The exact interval of a share of independent rows. Pure, and light: nothing heavy is imported before it is needed."""

from __future__ import annotations

import math
from functools import lru_cache

from tailtune.core.records import Estimate

LEVEL = 0.05
"""Probability that an interval misses the truth, both sides together."""


def share_of(right: int, rows: int, level: float = LEVEL) -> Estimate:
    """Share of independent rows that are right, with Clopper and Pearson's interval; all NaN without rows."""
    if rows == 0:
        return Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    low, high = exact_ends(right, rows, level)
    return Estimate(value=right / rows, low=low, high=high, rows=rows, worth_rows=rows)


@lru_cache(maxsize=4096)  # what would change a verdict asks for the same ones again and again
def exact_ends(right: float, rows: float, level: float = LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, 0 to 1; counts need not be whole.

    Source: Clopper and Pearson (1934), by quantiles of the beta distribution.
    """
    from scipy.stats import beta

    right, wrong = min(max(right, 0.0), rows), max(rows - right, 0.0)
    tiny = 1e-9
    low = 0.0 if right < tiny else float(beta.ppf(level / 2, right, wrong + 1))
    high = 1.0 if wrong < tiny else float(beta.ppf(1 - level / 2, right + 1, wrong))
    return low, high


def at_level(estimate: Estimate, level: float) -> Estimate:
    """The same measure with an interval at another level; as it is where nobody noted what its rows are worth."""
    if estimate.worth_rows is None or math.isnan(estimate.value):
        return estimate
    low, high = exact_ends(estimate.value * estimate.worth_rows, estimate.worth_rows, level)
    return estimate.model_copy(update={"low": min(low, estimate.value), "high": max(high, estimate.value)})
