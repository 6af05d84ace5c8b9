"""What a product needs of whoever answers: quality, speed, usable answers. Pure, one measured candidate at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import log2

from tailtune.config.model import TargetsSpec
from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, CurvePoint, RungResult, Scored
from tailtune.judge.stats import wilson


def needed(targets: TargetsSpec) -> float:
    """Quality a cheaper rung must show: error at most target error / head_room."""
    return 1 - (1 - targets.quality) / targets.head_room


def meets_with_head_room(quality: Estimate, targets: TargetsSpec) -> bool:
    """The measured error leaves head-room, and even the interval's low end reaches the target."""
    return quality.value >= needed(targets) and quality.low >= targets.quality


def fast_enough(scored: RungResult | CandidateResult, targets: TargetsSpec) -> bool:
    """Its p99, the network of an endpoint included, is within the latency target; or there is none, or no timing."""
    if targets.p99_ms is None or scored.latency is None:
        return True
    return scored.latency.p99_ms <= targets.p99_ms


def validity(scored: Scored) -> Estimate:
    """Share of its answers that could be used, with Wilson's 95 % interval."""
    rows = scored.quality.rows
    return wilson(max(0, rows - scored.invalid_rows), rows)


def usable_enough(scored: Scored, targets: TargetsSpec) -> bool:
    """The share of usable answers reaches `targets.validity`, or none is asked for."""
    return targets.validity is None or validity(scored).value >= targets.validity


def servable(scored: RungResult | CandidateResult, targets: TargetsSpec) -> bool:
    """Fast enough and usable enough: what no quality makes up for."""
    return fast_enough(scored, targets) and usable_enough(scored, targets)


def shortcomings(scored: RungResult | CandidateResult, targets: TargetsSpec) -> str:
    """Which of these it misses, in words; empty when none."""
    missed = []
    if not fast_enough(scored, targets) and scored.latency is not None:
        missed.append(f"its p99 {scored.latency.p99_ms:.2f} ms misses {targets.p99_ms:g} ms")
    if not usable_enough(scored, targets):
        missed.append(f"only {validity(scored).value:.1%} of its answers can be used, {targets.validity:.1%} must be")
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


def labels_lacking(train_rows: int, curve: Sequence[CurvePoint], targets: TargetsSpec) -> str:
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
