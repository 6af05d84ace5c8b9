"""What a product needs of a candidate: quality, speed, usable answers; and how reasons write such figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, log2, log10
from typing import TypeVar

from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, CurvePoint, Guard, RungResult, Scored
from tailtune.judge.guards import missed as missed_floors
from tailtune.judge.intervals import share

S = TypeVar("S", bound=Scored)


@dataclass(frozen=True)
class Targets:
    """One per use case: what its product needs.

    Attributes:
        metric: The measure (core/measures.py) that `quality` is about.
        quality: What must be reached, 0 to 1.
        min_effect: Smallest gain in quality worth having.
        head_room: A cheaper rung must have error ≤ target error / head_room to stay.
        min_train_rows: Good labels from which a fine-tune is expected to pay.
        p99_ms: Slowest acceptable answer, 99th percentile; None when any will do.
        validity: Share of answers that must be usable, 0 to 1; None asks none.
        guards: Floors of other measures (guards.py).
    """

    metric: str
    quality: float
    min_effect: float
    head_room: float
    min_train_rows: int
    p99_ms: float | None = None
    validity: float | None = None
    guards: tuple[Guard, ...] = ()


def needed(targets: Targets) -> float:
    """Quality a cheaper rung must show: error at most target error / head_room."""
    return 1 - (1 - targets.quality) / targets.head_room


def meets_with_head_room(quality: Estimate, targets: Targets) -> bool:
    """The measured error leaves head-room, and even the interval's low end reaches the target."""
    return quality.value >= needed(targets) and quality.low >= targets.quality


def best_of(scored: Iterable[S]) -> S | None:
    """The one of highest quality; None of none."""
    return max(scored, key=quality_value, default=None)


def best_candidate(scored: Iterable[S]) -> S | None:
    """The one of highest quality that reads the text: a line to beat is none; None of none."""
    return best_of(each for each in scored if not each.ignores_text)


def above(scored: Scored, line: Scored | None) -> bool:
    """Whether it is right more often than what ignores the text; without such a line anything is."""
    return line is None or scored.quality.value > line.quality.value


def stays(scored: RungResult | CandidateResult, targets: Targets, line: Scored | None) -> bool:
    """Whether it can be what to stay with: it serves, meets the target with head-room, and reads the text to do so."""
    return servable(scored, targets) and meets_with_head_room(scored.quality, targets) and above(scored, line)


def no_better(scored: Scored, line: Scored) -> str:
    """`Probe (99.0 %) is no better than Majority class (99.0 %), which ignores the text`."""
    ours, theirs = (f"{each.title} ({each.quality.value * 100:.1f} %)" for each in (scored, line))
    return f"{ours} is no better than {theirs}, which ignores the text"


def fast_enough(scored: RungResult | CandidateResult, targets: Targets) -> bool:
    """Its p99, the network of an endpoint included, is within the latency target; or there is none, or no timing."""
    if targets.p99_ms is None or scored.latency is None:
        return True
    return scored.latency.p99_ms <= targets.p99_ms


def validity(scored: Scored) -> Estimate:
    """Share of its answers that could be used, with its 95 % interval."""
    rows = scored.quality.rows
    return share(max(0, rows - scored.invalid_rows), rows)


def usable_enough(scored: Scored, targets: Targets) -> bool:
    """The share of usable answers reaches `targets.validity`, or none is asked for."""
    return targets.validity is None or validity(scored).value >= targets.validity


def servable(scored: RungResult | CandidateResult, targets: Targets) -> bool:
    """Fast enough, usable enough, and no floor missed: what no quality makes up for."""
    return fast_enough(scored, targets) and usable_enough(scored, targets) and not missed_floors(scored, targets.guards)


def shortcomings(scored: RungResult | CandidateResult, targets: Targets) -> str:
    """Which of these it misses, in words; empty when none."""
    missed = []
    if not fast_enough(scored, targets) and scored.latency is not None:
        missed.append(f"its p99 {scored.latency.p99_ms:.2f} ms misses {targets.p99_ms:g} ms")
    if not usable_enough(scored, targets):
        missed.append(f"only {validity(scored).value:.1%} of its answers can be used, {targets.validity:.1%} must be")
    if floors := missed_floors(scored, targets.guards):
        missed.append(floors)
    return " and ".join(missed)


def quality_value(scored: Scored) -> float:
    """Quality that sorts: what was not measured comes last."""
    return -1.0 if math.isnan(scored.quality.value) else scored.quality.value


def last_doubling_gain(curve: Sequence[CurvePoint]) -> float | None:
    """Quality gained by the last step of the curve, scaled to a doubling of rows; None without such a step."""
    if len(curve) < 2 or curve[-1].rows <= curve[-2].rows:
        return None
    before, after = curve[-2], curve[-1]
    return (after.quality.value - before.quality.value) / log2(after.rows / before.rows)


def lately_gained(curve: Sequence[CurvePoint]) -> float | None:
    """Quality gained by a doubling of rows over the last two steps of the curve, or its only one; None without one.

    One step alone is too noisy to rest a verdict on: with few labels there are few dev rows too, and on 300 of them a
    difference of two points is within chance.
    """
    if len(curve) < 3 or curve[-1].rows <= curve[-3].rows:
        return last_doubling_gain(curve)
    before, after = curve[-3], curve[-1]
    return (after.quality.value - before.quality.value) / log2(after.rows / before.rows)


def labels_lacking(train_rows: int, curve: Sequence[CurvePoint], targets: Targets) -> str:
    """Why labels come before a fine-tune, in words; empty when there are enough, or more would gain too little."""
    gain = lately_gained(curve)
    if train_rows >= targets.min_train_rows or gain is None or gain <= targets.min_effect:
        return ""
    each = (
        "the last two doublings of labels still gained {} points each"
        if len(curve) > 2
        else ("the last doubling of labels still gained {} points")
    )
    return (
        f"{train_rows:,} good labels are fewer than {targets.min_train_rows:,}, "
        f"and {each.format(f'{gain * 100:+.1f}')}: label more rows first"
    )


def pct(estimate: Estimate) -> str:
    """`93.1 % (92.2–93.9)`."""
    return f"{estimate.value * 100:.1f} % ({estimate.low * 100:.1f}–{estimate.high * 100:.1f})"


def usd(value: float) -> str:
    """`$1,240`, `−$3.20`, `$0.0012`: two digits below a dollar, no cents from a hundred dollars up."""
    size = abs(value)
    if size >= 99.5:
        text = f"{size:,.0f}"
    elif size >= 1 or size == 0:
        text = f"{size:.2f}"
    else:
        text = f"{size:.{1 - floor(log10(size))}f}"
    return f"{'−' if value < 0 else ''}${text}"


def usd_between(estimate: Estimate) -> str:
    """`$5,020 (−$310 to $11,930)`."""
    return f"{usd(estimate.value)} ({usd(estimate.low)} to {usd(estimate.high)})"


def points(estimate: Estimate) -> str:
    """A difference of shares: `+1.2 points (+0.4 to +2.1)`."""
    return f"{estimate.value * 100:+.1f} points ({estimate.low * 100:+.1f} to {estimate.high * 100:+.1f})"
