"""A look at the days counted so far: what moved, since when, and whether that is an alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tailtune.core.monitored import DayCounts, Finding
from tailtune.core.records import Estimate
from tailtune.judge.drift.detector import REFERENCE_RISK, Nulls, detect, threshold
from tailtune.judge.drift.learned import is_learned, is_tested, learned_weight, renewal
from tailtune.judge.drift.reference import Reference, Statistic
from tailtune.judge.shares import LEVEL

F = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """One per look at a version's days.

    Attributes:
        days: Days that the evidence is of, ascending.
        path: Evidence of everything together after each of these days, as a share of what makes an alarm.
        findings: One per statistic that was measured in the window, the most telling first; those with an empty part
            are about a measure as a whole.
        not_measured: Sentences about what was not compared.
    """

    days: tuple[int, ...]
    path: tuple[float, ...]
    findings: tuple[Finding, ...]
    not_measured: tuple[str, ...]

    @property
    def evidence(self) -> float:
        """Of everything together after the last day; 1 and more is an alarm; NaN where nothing was measured."""
        return self.path[-1] if self.findings and self.path else math.nan

    @property
    def alarm(self) -> bool:
        """Whether it is one now."""
        return self.evidence >= 1

    @property
    def alarm_day(self) -> int | None:
        """The first day after which it was an alarm; None where it never was."""
        return next((day for day, evidence in zip(self.days, self.path, strict=True) if evidence >= 1), None)


def look(
    reference: Reference,
    days: Sequence[DayCounts],
    *,
    rate: float = 0.05,
    since: int | None = None,
    window: tuple[int, int] | None = None,
    most: int | None = None,
) -> Look:
    """Weigh all days together.

    Args:
        reference: That the days were counted with.
        days: What `count` made of them, in any order; a day that is not there is one without rows.
        rate: Probability of a false alarm within 30 nights.
        since: Day from which evidence is gathered, as after an alarm that was seen to; None from the first.
        window: First and last day over which shares are given; None is all days that the evidence is of.
        most: How many findings at most; None is all.

    Raises:
        ValueError: The rate is out of range.
    """
    limit = threshold(rate)
    ordered = sorted(days, key=lambda each: each.day)
    is_used = np.array([since is None or each.day >= since for each in ordered], dtype=bool)
    is_shown = is_used if window is None else np.array([window[0] <= each.day <= window[1] for each in ordered])
    used = [each.day for each, chosen in zip(ordered, is_used, strict=True) if chosen]
    statistics = _measured(reference, ordered)
    counts = _counts(statistics, ordered)
    hits, rows = counts[is_used, :, 0], counts[is_used, :, 1]
    weights = _weights(statistics, used)
    seen = detect(
        _nulls(statistics, weights, rate),
        np.concatenate([hits, rows - hits], axis=1),
        np.concatenate([rows, rows], axis=1),
        reference.tolerance,
    )
    weighted = seen.capital * weights / limit
    figures = _figures(statistics, counts[is_shown].sum(axis=0), reference.tolerance)
    evidence = np.where(seen.onset >= 0, weighted[-1] if used else 0.0, 0.0)
    findings = _findings(statistics, figures, evidence, [used[at] if at >= 0 else None for at in seen.onset], most)
    path = tuple(weighted.sum(axis=1).tolist())
    return Look(tuple(used), path, findings, _not_measured(reference, statistics, figures.rows))


def _measured(reference: Reference, days: Sequence[DayCounts]) -> list[Statistic]:
    """All statistics of which there are counts: those with a fixed rule, then those that were learnt."""
    keys: set[str] = set().union(*(each.counts for each in days))
    learned = {key: pair for each in days for key, pair in each.sums.items() if is_learned(key) and key in keys}
    statistics = [each for each in reference.statistics if each.key in keys]
    for key, (hits, rows) in sorted(learned.items()):
        measure = key.split("\t", 1)[0]
        weight = reference.learned_weight(measure) * learned_weight(key)
        statistics.append(Statistic(key, measure, "", int(hits), float(rows), weight))
    return statistics


def _counts(statistics: Sequence[Statistic], days: Sequence[DayCounts]) -> F:
    """Rows that count, and rows that were measured, (days, statistics, 2)."""
    keys, nothing = [each.key for each in statistics], (0, 0)
    pairs = (each.counts.get(key, nothing) for each in days for key in keys)
    shape = (len(days), len(keys), 2)
    return np.fromiter(chain.from_iterable(pairs), dtype=np.float64, count=math.prod(shape)).reshape(shape)


def _weights(statistics: Sequence[Statistic], days: Sequence[int]) -> F:
    """On each day, of more rows and then of fewer, (days, 2 · statistics).

    A limit is only exceeded, strangeness only grows, and what was learnt only points towards the window, while it is
    tested.
    """
    weight = np.array([each.weight for each in statistics], dtype=np.float64)
    learned = [(at, each.key) for at, each in enumerate(statistics) if is_learned(each.key)]
    one_way = np.isfinite([each.limit for each in statistics]) | np.array([each.only_more for each in statistics], bool)
    one_way[[at for at, _ in learned]] = True
    up = np.tile(np.where(one_way, weight, weight / 2), (len(days), 1))
    down = np.tile(np.where(one_way, 0.0, weight / 2), (len(days), 1))
    for at, key in learned:
        up[:, at] *= [is_tested(key, day) for day in days]
    return np.concatenate([up, down], axis=1)


def _nulls(statistics: Sequence[Statistic], weights: F, rate: float) -> Nulls:
    """What the reference says of more rows, then of fewer."""
    hits = np.array([each.hits for each in statistics], dtype=np.float64)
    rows = np.array([each.rows for each in statistics], dtype=np.float64)
    limits = np.array([each.limit for each in statistics], dtype=np.float64)
    share = np.array([renewal(each.key) if is_learned(each.key) else 1.0 for each in statistics])
    risk = REFERENCE_RISK * rate * np.max(weights, axis=0, initial=1e-12) * np.tile(share, 2)
    return Nulls(np.concatenate([hits, rows - hits]), np.tile(rows, 2), np.tile(limits, 2), risk)


def _not_measured(reference: Reference, statistics: Sequence[Statistic], rows: F) -> tuple[str, ...]:
    there = {each.measure for each, measured in zip(statistics, rows, strict=True) if measured}
    measures = dict.fromkeys(each.measure for each in reference.statistics)
    if not there and measures:
        return (*reference.not_measured, "the window has no rows")
    missing = (f"{measure}: no row of the window has it" for measure in measures if measure not in there)
    return (*reference.not_measured, *missing)


def _findings(
    statistics: Sequence[Statistic], figures: _Figures, evidence: F, since: Sequence[int | None], most: int | None
) -> tuple[Finding, ...]:
    """One per fixed statistic that has rows in the window, and one per measure for all that was learnt."""
    count = len(statistics)
    up, down = evidence[:count], evidence[count:]
    order = sorted(range(count), key=lambda at: (-max(up[at], down[at]), figures.p[at], -figures.errors[at], at))
    shown: list[tuple[float, int]] = []  # evidence, place
    whole = {each.measure: 0.0 for each in statistics if is_learned(each.key)}
    for at in order:
        if is_learned(statistics[at].key):
            whole[statistics[at].measure] += float(up[at])
    for at in order:
        if figures.rows[at] and not is_learned(statistics[at].key):
            shown.append((float(max(up[at], down[at])), at))
        elif figures.rows[at] and statistics[at].measure in whole:
            shown.append((whole.pop(statistics[at].measure), at))
    shown.sort(key=lambda each: -each[0])
    findings = []
    for together, at in shown[:most]:
        learned = is_learned(statistics[at].key)
        more = learned or up[at] > down[at] or (up[at] == down[at] and figures.difference[at, 0] >= 0)
        findings.append(
            Finding(
                measure=statistics[at].measure,
                part=statistics[at].part,
                more=bool(more),
                reference=_estimate(figures.then[at], statistics[at].rows),
                window=_estimate(figures.now[at], figures.rows[at]),
                difference=_estimate(figures.difference[at], figures.rows[at]),
                p=float(figures.p[at]),
                evidence=together,
                since=since[at if more else at + count],
            )
        )
    return tuple(findings)


@dataclass(frozen=True)
class _Figures:
    """Of each statistic: value, low and high end, (s, 3); rows of the window, p and standard errors moved, (s,)."""

    rows: F
    then: F
    now: F
    difference: F
    p: F
    errors: F


def _figures(statistics: Sequence[Statistic], counts: F, tolerance: float) -> _Figures:
    """Shares then and now with exact intervals, their difference, and the window's own p.

    Source: Clopper and Pearson (1934); Newcombe (1998), method 10, from Wilson's intervals; for p the arcsine's normal
        approximation (Freeman and Tukey 1950), or the exact binomial tail above a limit.
    """
    from scipy.special import bdtrc
    from scipy.stats import norm

    hits, rows = counts[:, 0], counts[:, 1]
    limits = np.array([each.limit for each in statistics], dtype=np.float64)
    fixed = np.isfinite(limits)
    then_hits = np.where(fixed, 0, np.array([each.hits for each in statistics], dtype=np.float64))
    then_rows = np.where(fixed, 1, np.array([each.rows for each in statistics], dtype=np.float64))
    then, now = _exact(then_hits, then_rows), _exact(hits, rows)
    then[fixed] = limits[fixed, None]
    (low, high), (then_low, then_high) = _wilson(hits, rows), _wilson(then_hits, then_rows)
    then_low, then_high = np.where(fixed, limits, then_low), np.where(fixed, limits, then_high)
    gap = now[:, 0] - then[:, 0]
    low_end = gap - np.hypot(now[:, 0] - low, then_high - then[:, 0])
    high_end = gap + np.hypot(high - now[:, 0], then[:, 0] - then_low)
    spread = np.sqrt(np.where(fixed, 0, 1 / then_rows) + 1 / np.maximum(rows, 1)) / 2
    moved = np.arcsin(np.sqrt(now[:, 0])) - np.arcsin(np.sqrt(then[:, 0]))
    p = np.minimum(1, 2 * norm.sf((np.abs(moved) - tolerance) / spread))
    above = np.where(hits > 0, bdtrc(np.maximum(hits - 1, 0), rows.astype(np.int64), np.where(fixed, limits, 0.5)), 1.0)
    ends = np.stack([gap, low_end, high_end], axis=1)
    return _Figures(rows, then, now, ends, np.where(fixed, above, p), np.abs(moved) / spread)


def _exact(hits: F, rows: F) -> F:
    from scipy.special import betaincinv

    value = np.divide(hits, rows, out=np.full(hits.shape, np.nan), where=rows > 0)
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), rows - hits + 1, LEVEL / 2), 0.0)
    high = np.where(hits < rows, betaincinv(hits + 1, np.maximum(rows - hits, 1), 1 - LEVEL / 2), 1.0)
    return np.stack([value, np.minimum(low, value), np.maximum(high, value)], axis=1)


def _wilson(hits: F, rows: F) -> tuple[F, F]:
    from tailtune.judge.stats import Z95

    size = np.maximum(rows, 1)
    share, reach = hits / size, Z95**2 / size
    middle = (share + reach / 2) / (1 + reach)
    half = Z95 * np.sqrt(share * (1 - share) / size + reach / size / 4) / (1 + reach)
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def _estimate(figures: F, rows: float) -> Estimate:
    value, low, high = (float(each) for each in figures)
    count = 0 if math.isinf(rows) else int(rows)
    return Estimate(value=value, low=low, high=high, rows=count)
