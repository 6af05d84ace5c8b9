"""What a fine-tune is worth over another road, and how sure that is: a seeded bootstrap of the measured parts.

Net value over the horizon = requests × (tokens saved + error cost × requests that the fine-tune alone gets right −
those that it alone gets wrong) − what it costs more whatever the volume. Prices are declared and do not vary; answers
and token counts were measured on a sample and do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Estimate
from tailtune.core.reports import Paired

Floats = NDArray[np.float64]
DRAWS = 4000
SEED = 17
SURE = 0.95
"""Probability of a positive net value from which money is spent."""
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Drawn:
    """One per measured figure: its value, and what it could as well have been.

    Attributes:
        value: As measured.
        draws: Bootstrap draws, shape (DRAWS,).
        rows: That it was measured on.
    """

    value: float
    draws: Floats
    rows: int


@dataclass(frozen=True)
class Worth:
    """One per fine-tune and other road.

    Attributes:
        net: Net value, US dollars over the horizon, 95 % bootstrap interval.
        probability: Share of draws in which it is above 0.
        break_even: Requests a day from which the fine-tune costs less in all; value NaN when never, an end NaN where
            the interval has none.
    """

    net: Estimate
    probability: float
    break_even: Estimate


def paired_gain(comparison: Paired) -> Drawn:
    """Share of requests that the fine-tune alone gets right − that the other alone does.

    Drawn from the Dirichlet distribution of the counts, half a row added to each of the four cells of the paired
    table: a Bayesian bootstrap over rows (Rubin 1981), which with no row that differs is not sure of a tie. So small
    a prior keeps coverage near 95 % (as in Agresti and Min 2005).

    Args:
        comparison: Fine-tune (first) against the other (second), by rows answered wholly right.
    """
    rows, first, second = comparison.difference.rows, comparison.only_first_right, comparison.only_second_right
    shares = _random(0).dirichlet([first + 0.5, second + 0.5, rows - first - second + 1.0], size=DRAWS)
    return Drawn((first - second) / rows, shares[:, 0] - shares[:, 1], rows)


def assumed_gain(other_wrong: Estimate, tuned_wrong: float) -> Drawn:
    """The same for a fine-tune that is not trained: its share of wrong answers is assumed, the other's was measured.

    Args:
        other_wrong: Share of wrong answers of the other, with its 95 % interval.
        tuned_wrong: Assumed of the fine-tune, 0 to 1.
    """
    drawn = np.clip(_around(other_wrong, stream=0), 0, 1)
    return Drawn(other_wrong.value - tuned_wrong, drawn - tuned_wrong, other_wrong.rows)


def price_of(estimate: Estimate) -> Drawn:
    """US dollars for a request, from a mean with its 95 % interval; never below 0."""
    return Drawn(estimate.value, np.maximum(_around(estimate, stream=1), 0), estimate.rows)


def worth(per_day: float, days: float, fixed_usd: float, gain: Drawn, saved_usd: Drawn, error_usd: float) -> Worth:
    """Net value, its probability of being positive, and the volume at which both roads cost the same.

    Args:
        per_day: Requests a day.
        days: Of the horizon.
        fixed_usd: What the fine-tune costs more over the horizon whatever the volume; negative when less.
        gain: Share of requests that it gets right more than the other.
        saved_usd: What the other costs more for a request, errors aside.
        error_usd: What a wrong answer costs.
    """
    each, drawn = saved_usd.value + error_usd * gain.value, saved_usd.draws + error_usd * gain.draws
    net = per_day * days * drawn - fixed_usd
    value = per_day * days * each - fixed_usd
    low, high = (float(q) for q in np.quantile(net, [0.025, 0.975]))
    return Worth(
        net=Estimate(value=value, low=min(low, value), high=max(high, value), rows=gain.rows),
        probability=float((net > 0).mean()),
        break_even=_break_even(each, drawn, days, fixed_usd, gain.rows),
    )


def _break_even(each: float, drawn: Floats, days: float, fixed_usd: float, rows: int) -> Estimate:
    """Volume from which the fine-tune costs less; NaN for a value or an end that no volume reaches."""
    low, value, high = (
        _from(each_, days, fixed_usd) for each_ in (*np.quantile(drawn, [0.975]), each, *np.quantile(drawn, [0.025]))
    )
    return Estimate(value=value, low=low, high=high, rows=rows)


def _from(each: float, days: float, fixed_usd: float) -> float:
    """Requests a day from which what each of them saves pays for what is fixed."""
    if each > 0:
        volume = fixed_usd / (days * float(each))  # numpy's own division would warn where it overflows
        return max(0.0, volume) if math.isfinite(volume) else math.nan
    return 0.0 if each == 0 and fixed_usd < 0 else math.nan


def _around(estimate: Estimate, stream: int) -> Floats:
    """Normal draws on both sides of a value, each side as wide as the interval says."""
    normal = _random(stream).standard_normal(DRAWS)
    wide = np.where(normal > 0, estimate.high - estimate.value, estimate.value - estimate.low) / _Z95
    drawn: Floats = estimate.value + normal * wide
    return drawn


def _random(stream: int) -> np.random.Generator:
    """Answers and prices vary independently: each has a stream of its own."""
    return np.random.default_rng([SEED, stream])
