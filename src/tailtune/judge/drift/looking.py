"""A look at the days counted so far: what moved, since when, and whether that is an alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailtune.core.monitored import DayCounts, Finding
from tailtune.core.records import Estimate
from tailtune.judge.drift.detector import REFERENCE_RISK, Nulls, detect, threshold
from tailtune.judge.drift.learned import is_learned, learned_weight, renewal
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


@dataclass(frozen=True)
class _Table:
    """All statistics of some days, in columns: more rows first, then fewer."""

    statistics: list[Statistic]
    hits: F
    rows: F
    up: F
    down: F


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
    used = [each for each in ordered if since is None or each.day >= since]
    table = _table(reference, used)
    hits = np.concatenate([table.hits, table.rows - table.hits], axis=1)
    rows = np.concatenate([table.rows, table.rows], axis=1)
    weights = np.concatenate([table.up, table.down], axis=1)
    seen = detect(_nulls(table, weights, rate), hits, rows, reference.tolerance)
    weighted = seen.capital * weights / limit
    path = tuple(weighted.sum(axis=1).tolist())
    shown = used if window is None else [each for each in ordered if window[0] <= each.day <= window[1]]
    findings = _findings(reference, table, shown, weighted, seen.onset, tuple(each.day for each in used))
    return Look(tuple(each.day for each in used), path, findings[:most], _not_measured(reference, shown))


def _nulls(table: _Table, weights: F, rate: float) -> Nulls:
    """What the reference says of more rows, then of fewer."""
    hits = np.array([each.hits for each in table.statistics], dtype=np.float64)
    rows = np.array([each.rows for each in table.statistics], dtype=np.float64)
    limits = np.array([each.limit for each in table.statistics], dtype=np.float64)
    share = np.array([renewal(each.key) if is_learned(each.key) else 1.0 for each in table.statistics])
    risk = REFERENCE_RISK * rate * np.max(weights, axis=0, initial=1e-12) * np.tile(share, 2)
    return Nulls(np.concatenate([hits, rows - hits]), np.tile(rows, 2), np.tile(limits, 2), risk)


def _table(reference: Reference, days: Sequence[DayCounts]) -> _Table:
    measured = {key for each in days for key in each.counts}
    statistics = [each for each in reference.statistics if each.key in measured]
    fixed = len(statistics)
    statistics += _learned(reference, days)
    pairs = [each.counts.get(statistic.key, (0, 0)) for each in days for statistic in statistics]
    counts = np.array(pairs, dtype=np.float64).reshape(len(days), len(statistics), 2)
    up = np.tile(np.array([each.weight for each in statistics], dtype=np.float64), (len(days), 1))
    up *= np.where(np.isfinite([each.limit for each in statistics]), 1.0, 0.5)
    down = np.where(np.isfinite([each.limit for each in statistics]), 0.0, up)
    up[:, fixed:] = np.where(counts[:, fixed:, 1] > 0, 2 * up[:, fixed:], 0.0)  # one direction, while it is tested
    down[:, fixed:] = 0.0
    return _Table(statistics, counts[:, :, 0], counts[:, :, 1], up, down)


def _learned(reference: Reference, days: Sequence[DayCounts]) -> list[Statistic]:
    references = {key: each.sums[key] for each in days for key in each.counts if is_learned(key)}
    return [
        Statistic(
            key,
            key.split("\t", 1)[0],
            "",
            int(hits),
            float(rows),
            reference.learned_weight(key.split("\t", 1)[0]) * learned_weight(key),
        )
        for key, (hits, rows) in sorted(references.items())
    ]


def _not_measured(reference: Reference, days: Sequence[DayCounts]) -> tuple[str, ...]:
    rows = {key for each in days for key, (_, measured) in each.counts.items() if measured}
    missing = list(reference.not_measured)
    if not sum(each.rows for each in days):
        return (*missing, "the window has no rows")
    measures = dict.fromkeys(each.measure for each in reference.statistics)
    there = dict.fromkeys(each.measure for each in reference.statistics if each.key in rows)
    missing += [f"{measure}: no row of the window has it" for measure in measures if measure not in there]
    return tuple(missing)


def _findings(
    reference: Reference,
    table: _Table,
    shown: Sequence[DayCounts],
    weighted: F,
    onset: NDArray[np.int64],
    days: Sequence[int],
) -> tuple[Finding, ...]:
    """One per fixed statistic that has rows in the window, and one per measure for all that was learnt."""
    count = len(table.statistics)
    last = weighted[-1] if len(weighted) else np.zeros(2 * count)
    up, down = np.split(np.where(onset >= 0, last, 0.0), 2)
    figures = _figures(table.statistics, *_counts(table.statistics, shown), reference.tolerance)
    order = sorted(range(count), key=lambda at: (-max(up[at], down[at]), figures.p[at], -figures.errors[at], at))
    findings: list[Finding] = []
    whole: dict[str, float] = {}  # measure as a whole → evidence of all that was learnt of it
    for at, statistic in enumerate(table.statistics):
        if is_learned(statistic.key):
            whole[statistic.measure] = whole.get(statistic.measure, 0.0) + float(up[at])
    for at in order:
        statistic, learned = table.statistics[at], is_learned(table.statistics[at].key)
        if not figures.rows[at] or (learned and statistic.measure not in whole):
            continue
        more = learned or up[at] > down[at] or (up[at] == down[at] and figures.difference[at, 0] >= 0)
        begun = int(onset[at if more else at + count])
        findings.append(
            Finding(
                measure=statistic.measure,
                part=statistic.part,
                more=bool(more),
                reference=_estimate(figures.then[at], statistic.rows),
                window=_estimate(figures.now[at], figures.rows[at]),
                difference=_estimate(figures.difference[at], figures.rows[at]),
                p=float(figures.p[at]),
                evidence=whole.pop(statistic.measure) if learned else float(max(up[at], down[at])),
                since=days[begun] if begun >= 0 else None,
            )
        )
    return tuple(sorted(findings, key=lambda each: -each.evidence))


def _counts(statistics: Sequence[Statistic], days: Sequence[DayCounts]) -> tuple[F, F]:
    """Rows that count, and rows that were measured, over all days."""
    pairs = [[each.counts.get(statistic.key, (0, 0)) for each in days] for statistic in statistics]
    sums = np.array(pairs, dtype=np.float64).reshape(len(statistics), len(days), 2).sum(axis=1)
    return sums[:, 0], sums[:, 1]


@dataclass(frozen=True)
class _Figures:
    """Of each statistic: value, low and high end, (s, 3); rows of the window, p and standard errors moved, (s,)."""

    rows: F
    then: F
    now: F
    difference: F
    p: F
    errors: F


def _figures(statistics: Sequence[Statistic], hits: F, rows: F, tolerance: float) -> _Figures:
    """Shares then and now with exact intervals, their difference, and the window's own p.

    Source: Clopper and Pearson (1934); Newcombe (1998), method 10, from Wilson's intervals; for p the arcsine's normal
        approximation (Freeman and Tukey 1950), or the exact binomial tail above a limit.
    """
    from scipy.special import bdtrc
    from scipy.stats import norm

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
