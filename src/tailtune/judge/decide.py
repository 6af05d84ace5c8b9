"""The gates: does a cheaper rung do, may training spend, who won. Pure, and each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log2

from tailtune.core.measures import MEASURES
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import CurvePoint, Paired, RungResult, Verdict
from tailtune.judge.stats import SIGNIFICANT
from tailtune.spec.model import TargetsSpec, TrainSpec

NO_ENDPOINT = "prompted language models (no endpoint is declared)"


@dataclass(frozen=True)
class Evidence:
    """One per use case and moment: everything the verdict is made of.

    Attributes:
        rungs: Measured rungs, cheapest first; at least one.
        curve: A cheap rung by number of train rows, ascending.
        train_rows: Good labelled rows after curation, dev and test not counted.
        estimated_usd: What training is expected to cost; None when no price is declared.
        unmeasured: Rungs that were not measured, in words.
        narrow: What is known of the answers' format, in words.
    """

    rungs: Sequence[RungResult]
    curve: Sequence[CurvePoint]
    train_rows: int
    estimated_usd: float | None
    unmeasured: tuple[str, ...]
    narrow: str = ""


@dataclass(frozen=True)
class Outcome:
    """One per verdict."""

    verdict: Verdict
    reason: str
    best: RungResult
    would_change: tuple[str, ...]


def verdict(evidence: Evidence, targets: TargetsSpec, train: TrainSpec) -> Outcome:
    """Stay with a cheaper rung, fine-tune, or not yet: the first rule that speaks decides.

    1. A rung meets the target with head-room, and the latency target: stay with the cheapest such rung.
    2. Labels are few and the learning curve still climbs: not yet, label first.
    3. Training would cost more than the spec allows: not yet.
    4. Otherwise a fine-tune can pay.
    """
    fast = [rung for rung in evidence.rungs if fast_enough(rung, targets)]
    best = max(fast or evidence.rungs, key=lambda rung: rung.quality.value)
    change = _would_change(best, evidence, targets)
    staying = next((rung for rung in fast if meets_with_head_room(rung.quality, targets)), None)
    if staying is not None:
        return Outcome("stay", _why_stay(staying, targets), staying, change)
    short = _why_not(best, targets)
    gain = last_doubling_gain(evidence.curve)
    if evidence.train_rows < targets.min_train_rows and gain is not None and gain > targets.min_effect:
        reason = (
            f"{short}; {evidence.train_rows:,} good labels are fewer than {targets.min_train_rows:,}, "
            f"and the last doubling of labels still gained {gain * 100:+.1f} points: label more rows first"
        )
        return Outcome("not-yet", reason, best, change)
    if evidence.estimated_usd is not None and evidence.estimated_usd > float(train.max_cost_usd):
        over = f"over train.max_cost_usd ${train.max_cost_usd}"
        reason = f"{short}; training is estimated at ${evidence.estimated_usd:.2f}, {over}"
        return Outcome("not-yet", reason, best, change)
    spend = "at no declared price" if evidence.estimated_usd is None else f"for about ${evidence.estimated_usd:.4f}"
    return Outcome(
        "fine-tune",
        f"{short}; {evidence.train_rows:,} good labels can train an adapter {spend}",
        best,
        change,
    )


def needed(targets: TargetsSpec) -> float:
    """Quality a cheaper rung must show: error at most target error / head_room."""
    return 1 - (1 - targets.quality) / targets.head_room


def meets_with_head_room(quality: Estimate, targets: TargetsSpec) -> bool:
    """The measured error leaves head-room, and even the interval's low end reaches the target."""
    return quality.value >= needed(targets) and quality.low >= targets.quality


def fast_enough(rung: RungResult, targets: TargetsSpec) -> bool:
    """The rung's p99 is within the latency target, or there is none."""
    return targets.p99_ms is None or rung.latency.p99_ms <= targets.p99_ms


def last_doubling_gain(curve: Sequence[CurvePoint]) -> float | None:
    """Quality gained by the last step of the curve, scaled to a doubling of rows; None without such a step."""
    if len(curve) < 2 or curve[-1].rows <= curve[-2].rows:
        return None
    before, after = curve[-2], curve[-1]
    return (after.quality.value - before.quality.value) / log2(after.rows / before.rows)


def may_train(outcome: Outcome, train: TrainSpec) -> Decision:
    """Whether the train stage may spend: the verdict, unless the spec overrules it."""
    if train.when == "always":
        return Decision(yes=True, reason=f"train.when is always (the verdict alone was {outcome.verdict})")
    if train.when == "never":
        return Decision(yes=False, reason=f"train.when is never (the verdict alone was {outcome.verdict})")
    return Decision(yes=outcome.verdict == "fine-tune", reason=outcome.reason)


def choose_winner(
    comparison: Paired | None, rung_title: str, p99_ms: float | None, targets_p99_ms: float | None
) -> Decision:
    """Whether the fine-tune beat the best cheaper rung on test. Ties stay with the cheaper one.

    Args:
        comparison: Fine-tune (first) against rung (second); None when nothing was trained.
        rung_title: The rung, for people.
        p99_ms: Measured p99 of the fine-tune.
        targets_p99_ms: Latency target; None when there is none.
    """
    if comparison is None:
        return Decision(yes=False, reason=f"nothing was trained; {rung_title} answers")
    gap = comparison.difference
    points = f"{gap.value * 100:+.1f} points ({gap.low * 100:+.1f} to {gap.high * 100:+.1f})"
    shown = f"{points}, McNemar p = {comparison.mcnemar_p:.2g}"
    # Both must speak: with few rows that differ, a percentile bootstrap alone is too sure of itself.
    if gap.low <= 0 or comparison.mcnemar_p >= SIGNIFICANT:
        return Decision(
            yes=False,
            reason=f"the fine-tune is not clearly better than {rung_title}: {shown}; the cheaper one stays",
        )
    if targets_p99_ms is not None and p99_ms is not None and p99_ms > targets_p99_ms:
        return Decision(
            yes=False,
            reason=f"the fine-tune is better ({shown}) but its p99 {p99_ms:.2f} ms misses {targets_p99_ms:g} ms",
        )
    return Decision(yes=True, reason=f"the fine-tune beats {rung_title} by {shown}")


def pct(estimate: Estimate) -> str:
    """`93.1 % (92.2–93.9)`."""
    return f"{estimate.value * 100:.1f} % ({estimate.low * 100:.1f}–{estimate.high * 100:.1f})"


def _why_stay(rung: RungResult, targets: TargetsSpec) -> str:
    return (
        f"{rung.title} reaches {pct(rung.quality)}: at or above {needed(targets):.1%}, "
        f"the target {targets.quality:.1%} with head-room {targets.head_room:g}"
    )


def _why_not(rung: RungResult, targets: TargetsSpec) -> str:
    """Why not even the best rung does, in the order in which `verdict` asks."""
    reached = f"{rung.title} reaches {pct(rung.quality)}"
    if not fast_enough(rung, targets):
        return f"no rung meets the latency target p99 {targets.p99_ms:g} ms; {reached} at {rung.latency.p99_ms:.1f} ms"
    if rung.quality.value < needed(targets):
        return f"{reached}, short of {needed(targets):.1%} (target {targets.quality:.1%} with head-room)"
    return f"{reached}, but the low end of its interval is short of the target {targets.quality:.1%}"


def _would_change(best: RungResult, evidence: Evidence, targets: TargetsSpec) -> tuple[str, ...]:
    enough = max(0.0, min(best.quality.low, 1 - (1 - best.quality.value) * targets.head_room))
    slow = "" if fast_enough(best, targets) else f" with a latency target of {best.latency.p99_ms:.1f} ms or more"
    # Rounded down: at exactly the printed target the rung must do.
    measure = MEASURES[targets.METRIC].title
    lines = [f"a target {measure} of {floor(enough * 1000) / 1000:.1%} or less{slow}: {best.title} would do"]
    lines += [f"measuring {name}" for name in evidence.unmeasured]
    return tuple(lines)
