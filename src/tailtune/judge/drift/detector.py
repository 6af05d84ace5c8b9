"""Evidence over days that shares moved beyond the tolerance: Shiryaev–Roberts e-detectors over two samples.

**A day's evidence** is a likelihood ratio of binomials: of a share above the null's largest one, θ, to θ itself. Where
the true share is θ or less its expected value is 1 at most, whatever that share is (the ratio rises with the count). It
is taken for several sizes of shift, since nobody knows which will come.

**Over days** R_t = (R_{t−1} + 1) · e_t: the sum over all days on which the shift may have begun. Without drift R_t − t
is expected to stay at 0 or below, and so is a weighted mean of many such; so R reaches c within n days with probability
n / c at most (Doob 1953), and `threshold` follows.

**The reference is a sample, too.** The null says "the share then was p, and moved by the tolerance at most", and p is
not known. So R is followed for a grid of p, from the share of the reference upwards, multiplied by the evidence that
the reference itself has against that p, and the least of these counts: it is below the one at the true p, which is
valid. That evidence is the density of a wider beta distribution over that of the beta distribution which p has given
the reference; `_FLAT` says how much wider, `_CARE` makes its expected value 1 at most for small counts (by
computation). Where a bound of a number is one of the reference's own values, the share beyond it has that very beta
distribution. The grid ends at the exact upper limit of p (Clopper and Pearson 1934) at a level of its own: a share
`REFERENCE_RISK` of the rate, dealt out by weight, is spent on p lying beyond, and the rest on R. So a reference is
doubted up to there and no further, however many rows the window has.

All shifts are on the scale of asin √p, where a share's spread is 1 / (2 √rows) whatever p is: a tolerance of 0.01 lets
a share of 50 % move to 51 %, one of 5 % to 5.4 %, one of 1 % to 1.2 %, one of 0 to 0.01 %.

Source: Shin, Ramdas and Rinaldo (2022), "E-detectors: a nonparametric framework for sequential change detection";
Waudby-Smith and Ramdas (2024); Wasserman, Ramdas and Balakrishnan (2020) for evidence that must stand for every null.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]
SHIFTS = (0.01, 0.03, 0.08, 0.25)
"""Beyond the null, on the scale of asin √p."""
GRID = np.linspace(0.0, 1.0, 10)
"""From the share of the reference to the largest that it may be a sample of, on the same scale."""
REFERENCE_RISK = 0.2
_FLAT, _CARE = 8.0, 1.1
_CHUNK = 512
_MOST = 1e300
NIGHTS = 30


def threshold(rate: float) -> float:
    """What weighted evidence must reach for an alarm.

    Args:
        rate: Probability of a false alarm within 30 nights, above 0, at most 1.

    Raises:
        ValueError: It is out of range.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate of false alarms is {rate}; expected above 0 and at most 1")
    return NIGHTS / (rate * (1 - REFERENCE_RISK))


@dataclass(frozen=True)
class Nulls:
    """One per set of statistics: what their shares were, (s,) each.

    Attributes:
        hits: Rows of the reference that count.
        rows: Rows of the reference.
        limits: The largest share that is all right, NaN where the reference and the tolerance say it.
        risk: Probability that the reference's true share may lie beyond what is considered.
    """

    hits: F
    rows: F
    limits: F
    risk: F

    def __getitem__(self, chunk: slice) -> Nulls:
        return Nulls(self.hits[chunk], self.rows[chunk], self.limits[chunk], self.risk[chunk])


@dataclass(frozen=True)
class Detected:
    """One per set of statistics and run of days.

    Attributes:
        capital: Evidence after each day, not weighted, (days, statistics); 0 before a statistic was first measured.
        onset: Place of the day from which the evidence of each speaks; −1 where there is none, (statistics,).
    """

    capital: F
    onset: NDArray[np.int64]


def detect(nulls: Nulls, hits: F, rows: F, tolerance: float) -> Detected:
    """Evidence that shares rose. For shares that fell, hand in the rows that do not count.

    Args:
        nulls: Of s statistics.
        hits: Of each day, (days, s).
        rows: Of each day; 0 where it was not measured, (days, s).
        tolerance: How far a share of one half may move.
    """
    capital, onset = np.zeros(hits.shape), np.full(hits.shape[1], -1, dtype=np.int64)
    for start in range(0, hits.shape[1], _CHUNK):
        chunk = slice(start, start + _CHUNK)
        bound, against = _grid(nulls[chunk], tolerance)
        capital[:, chunk], onset[chunk] = _run(bound, against, hits[:, chunk], rows[:, chunk])
    return Detected(capital, onset)


def _grid(nulls: Nulls, tolerance: float) -> tuple[F, F]:
    """Largest share of the window for each share that the reference may really have, and evidence against that one."""
    from scipy.special import betaincinv, betaln

    fixed = np.isfinite(nulls.limits)
    count, size = np.where(fixed, 0.0, nulls.hits), np.where(fixed, 1.0, nulls.rows)
    middle = np.arcsin(np.sqrt((count + 0.5) / (size + 1)))
    most = np.where(count < size, betaincinv(count + 1, np.maximum(size - count, 0.5), 1 - nulls.risk), 1.0)
    top = np.maximum(np.arcsin(np.sqrt(most)), middle)
    angle = np.minimum(middle + GRID[:, None] * (top - middle), np.pi / 2 - 1e-6)
    share = np.sin(angle) ** 2
    first, second = count + 0.5, size - count + 0.5
    wide_first, wide_second = 0.5 + count / _FLAT, 0.5 + (size - count) / _FLAT
    against = (wide_first - first) * np.log(share) + (wide_second - second) * np.log(np.cos(angle) ** 2)
    against += betaln(first, second) - betaln(wide_first, wide_second) - np.log(_CARE)
    bound = np.minimum(angle + tolerance, np.pi / 2 - 1e-6)
    bound = np.where(fixed, np.arcsin(np.sqrt(np.where(fixed, nulls.limits, 0.5))), bound)
    return bound, np.exp(np.where(fixed, 0.0, against))


def _run(bound: F, against: F, hits: F, rows: F) -> tuple[F, NDArray[np.int64]]:
    shift = np.minimum(bound + np.array(SHIFTS)[:, None, None], np.pi / 2 - 1e-6)
    shift = np.maximum(shift, bound)
    gain = 2 * (np.log(np.sin(shift)) - np.log(np.sin(bound)))
    loss = 2 * (np.log(np.cos(shift)) - np.log(np.cos(bound)))
    level, capital = np.zeros(gain.shape), np.zeros(hits.shape)
    with np.errstate(over="ignore"):
        for day in range(len(hits)):
            ratio = np.exp(np.minimum(hits[day] * gain + (rows[day] - hits[day]) * loss, 600.0))
            level = np.where(rows[day] > 0, np.minimum((level + 1) * ratio, _MOST), level)
            capital[day] = np.minimum(level.mean(axis=0) * against, _MOST).min(axis=0)
    place = np.argmin(np.minimum(level.mean(axis=0) * against, _MOST), axis=0)
    each = np.arange(place.size)
    best = np.argmax(level[:, place, each], axis=0)
    logs = hits * gain[best, place, each] + (rows - hits) * loss[best, place, each]
    sums = np.cumsum(logs[::-1], axis=0)[::-1]  # what all days from each on say together
    onset = np.where(sums.max(axis=0) > 0, np.argmax(sums, axis=0), -1) if len(sums) else np.full(place.size, -1)
    return capital, onset.astype(np.int64)
