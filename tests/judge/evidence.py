"""Rungs and evidence in a line each, for tests of the gates."""

from __future__ import annotations

from collections.abc import Sequence

from tailtune.core.records import Estimate, Latency
from tailtune.core.reports import CurvePoint, RungResult
from tailtune.judge.decide import Evidence


def rung(name: str, value: float, low: float | None = None, p99_ms: float = 5.0) -> RungResult:
    """A measured rung; the interval is ± 1 point unless its low end is given."""
    accuracy = Estimate(value=value, low=value - 0.01 if low is None else low, high=min(1, value + 0.01), rows=1000)
    latency = Latency(p50_ms=1, p95_ms=2, p99_ms=p99_ms, mean_ms=1, rows=200)
    return RungResult(
        name=name, title=name.title(), metrics={"accuracy": accuracy, "macro_f1": accuracy}, latency=latency,
        usd_per_1000=None, fit_s=0, fit_rows=0,
    )  # fmt: skip


def curve(*points: tuple[int, float]) -> tuple[CurvePoint, ...]:
    """A learning curve of (rows, accuracy)."""
    return tuple(
        CurvePoint(rows=rows, quality=Estimate(value=value, low=value, high=value, rows=100)) for rows, value in points
    )


def evidence(
    *rungs: RungResult,
    train_rows: int = 8000,
    gain: float = 0.0,
    usd: float | None = 0.02,
    unmeasured: Sequence[str] = (),
) -> Evidence:
    """Evidence whose learning curve gained `gain` with its last doubling."""
    points = curve((train_rows // 2, 0.8), (train_rows, 0.8 + gain))
    return Evidence(rungs, points, train_rows, usd, tuple(unmeasured))
