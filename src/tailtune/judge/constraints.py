"""What a product needs of a candidate: quality, speed, usable answers; and how reasons write such figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import TypeVar

from tailtune.core.figures import points, share, short_of, two_digits, usd, with_interval
from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, CurvePoint, Guard, RungResult, Scored
from tailtune.judge.guards import below, surely_misses
from tailtune.judge.guards import doubted as doubted_floors
from tailtune.judge.guards import missed as missed_floors
from tailtune.judge.shares import LEVEL, at_level, share_of

S = TypeVar("S", bound=Scored)
_MOST_TIMES = 1000.0
"""Times the rows that are, up to which more of them are looked for."""


@dataclass(frozen=True)
class Targets:
    """One per use case: what its product needs.

    Attributes:
        metric: The measure (core/measures.py) that `quality` is about.
        quality: What must be reached, 0 to 1.
        min_effect: Smallest gain in quality worth having.
        head_room: A cheaper rung must have error ≤ target error / head_room to stay.
        min_train_rows: Good labels from which a fine-tune is expected to pay.
        margin: What a cheaper candidate may be worse and still count as not worse, 0 to 1.
        p99_ms: Slowest acceptable answer, 99th percentile; None when any will do.
        validity: Share of answers that must be usable, 0 to 1; None asks none.
        guards: Floors of other measures (guards.py).
    """

    metric: str
    quality: float
    min_effect: float
    head_room: float
    min_train_rows: int
    margin: float = 0.01
    p99_ms: float | None = None
    validity: float | None = None
    guards: tuple[Guard, ...] = ()


def needed(targets: Targets) -> float:
    """Quality a cheaper rung must show: error at most target error / head_room.

    Rounded down at the twelfth digit: a rung that reaches it exactly must not miss it by how numbers are computed.
    """
    return math.floor((1 - (1 - targets.quality) / targets.head_room) * 1e12) / 1e12


def meets_with_head_room(quality: Estimate, targets: Targets, looks: int = 1) -> bool:
    """The measured error leaves head-room, and even the interval's low end reaches the target.

    Args:
        quality: As measured.
        targets: What the product needs.
        looks: Rungs that were looked at on the same rows: the luckiest of ten must show more than an only one, so the
            interval's level is divided by them (Bonferroni). A confidence sequence was already taken so.
    """
    sure = at_level(quality, LEVEL / looks)
    return quality.value >= needed(targets) and sure.low >= targets.quality


def best_of(scored: Iterable[S]) -> S | None:
    """The one of highest quality; None of none."""
    return max(scored, key=quality_value, default=None)


def best_candidate(scored: Iterable[S]) -> S | None:
    """The one of highest quality that reads the text: a line to beat is none; None of none."""
    return best_of(each for each in scored if not each.ignores_text)


def above(scored: Scored, line: Scored | None) -> bool:
    """Whether it is right more often than what ignores the text; without such a line anything is."""
    return line is None or scored.quality.value > line.quality.value


def stays(scored: RungResult | CandidateResult, targets: Targets, line: Scored | None, looks: int = 1) -> bool:
    """Whether it can be what to stay with: it serves, meets the target with head-room, and reads the text to do so."""
    serves = servable(scored, targets) and not below(scored, targets.guards)
    return serves and meets_with_head_room(scored.quality, targets, looks) and above(scored, line)


def may_stay(scored: RungResult | CandidateResult, targets: Targets, line: Scored | None, looks: int = 1) -> bool:
    """Whether more rows could show that it stays: it is not shown to, nor shown to fall short of anything."""
    possible = may_serve(scored, targets) and above(scored, line) and scored.quality.high >= needed(targets)
    return possible and not stays(scored, targets, line, looks)


def may_serve(scored: RungResult | CandidateResult, targets: Targets) -> bool:
    """Whether the intervals of p99, of usable answers and of measures with floors reach what is asked of them."""
    latency, usable = scored.latency, validity(scored)
    fast = fast_enough(scored, targets) or (latency is not None and latency.p99_low_ms <= (targets.p99_ms or 0))
    answers = usable_enough(scored, targets) or usable.high >= (targets.validity or 0)
    return fast and answers and not any(surely_misses(scored, guard) for guard in targets.guards)


def rows_to_tell(quality: Estimate, targets: Targets, looks: int = 1) -> int | None:
    """Rows, at two digits, on which a quality as measured would be shown to do, or to fall short.

    None where not even a thousand times the rows would: it lies where the two meet.
    """
    if quality.worth_rows is None or math.isnan(quality.value) or not quality.rows:
        return None

    def tells(times: float) -> bool:
        more = quality.model_copy(update={"worth_rows": (quality.worth_rows or 0.0) * times})
        if quality.value >= needed(targets):
            return meets_with_head_room(more, targets, looks)
        return at_level(more, LEVEL).high < needed(targets)

    low, high = 1.0, 2.0
    while not tells(high):
        low, high = high, high * 2
        if high > _MOST_TIMES:
            return None
    for _ in range(20):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if tells(middle) else (middle, high)
    return int(two_digits(quality.rows * high, math.ceil, least=1.0))


def no_better(scored: Scored, line: Scored) -> str:
    """`Probe (99.0 %) is no better than Majority class (99.0 %), which ignores the text`."""
    ours, theirs = (f"{each.title} ({share(each.quality.value)})" for each in (scored, line))
    return f"{ours} is no better than {theirs}, which ignores the text"


def fast_enough(scored: RungResult | CandidateResult, targets: Targets) -> bool:
    """Its p99, the network of an endpoint included, is within the latency target; or there is none, or no timing."""
    if targets.p99_ms is None or scored.latency is None or math.isnan(scored.latency.p99_ms):
        return True
    return scored.latency.p99_ms <= targets.p99_ms


def validity(scored: Scored) -> Estimate:
    """Share of its answers that could be used, with its 95 % interval."""
    rows = scored.quality.rows
    return share_of(max(0, rows - scored.invalid_rows), rows)


def usable_enough(scored: Scored, targets: Targets) -> bool:
    """The share of usable answers reaches `targets.validity`, or none is asked for."""
    return targets.validity is None or validity(scored).value >= targets.validity


def servable(scored: RungResult | CandidateResult, targets: Targets) -> bool:
    """Fast enough, usable enough, and no floor missed: what no quality makes up for."""
    return fast_enough(scored, targets) and usable_enough(scored, targets) and not missed_floors(scored, targets.guards)


def doubts(scored: RungResult | CandidateResult, targets: Targets) -> str:
    """Which of these it was measured to meet, though its interval does not: in words; empty when none.

    A p99 whose high end so few rows cannot bound says nothing here.
    """
    latency, open_ = scored.latency, []
    if latency is not None and targets.p99_ms is not None and (latency.p99_high_ms or 0) > targets.p99_ms:
        open_.append(f"its p99 {latency.p99_range} may miss {targets.p99_ms:g} ms")
    usable = validity(scored)
    # That all answers can be used is shown by no number of them, so it is no doubt.
    if targets.validity is not None and usable.low < targets.validity <= usable.value and targets.validity < 1:
        open_.append(f"{with_interval(usable)} of its answers can be used, and {share(targets.validity)} must be")
    if floors := doubted_floors(scored, targets.guards):
        open_.append(floors)
    return " and ".join(open_)


def near_miss(scored: RungResult | CandidateResult, targets: Targets, line: Scored | None, looks: int = 1) -> str:
    """What it misses, where quality would do and one constraint alone does not: in words; empty otherwise."""
    if not (meets_with_head_room(scored.quality, targets, looks) and above(scored, line)):
        return ""
    met = (fast_enough(scored, targets), usable_enough(scored, targets), not missed_floors(scored, targets.guards))
    if met.count(False) != 1:
        return ""
    return f"{scored.title} reaches {with_interval(scored.quality)}, but {shortcomings(scored, targets)}"


def shortcomings(scored: RungResult | CandidateResult, targets: Targets) -> str:
    """Which of these it misses, in words; empty when none."""
    missed = []
    if not fast_enough(scored, targets) and scored.latency is not None:
        missed.append(f"its p99 {scored.latency.p99_range} misses {targets.p99_ms:g} ms")
    if targets.validity is not None and not usable_enough(scored, targets):
        usable = validity(scored).value
        short = short_of(usable, targets.validity)
        if share(usable) != share(targets.validity):
            short = f"{share(targets.validity)} must be"
        missed.append(f"only {share(usable)} of its answers can be used, {short}")
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

    Where the gain was measured row by row it has an interval, `CurvePoint.gain`.

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
    if train_rows >= targets.min_train_rows or gain is None or not gain > targets.min_effect:
        return ""
    measured = curve[-1].gain
    if measured is not None and not measured.low > 0:
        return ""  # it may as well be flat
    each = (
        "the last two doublings of labels still gained {} points each"
        if len(curve) > 2
        else ("the last doubling of labels still gained {} points")
    )
    between = "" if measured is None else f" ({points(measured.low)} to {points(measured.high)})"
    return (
        f"{train_rows:,} good labels are fewer than {targets.min_train_rows:,}, "
        f"and {each.format(points(gain))}{between}: label more rows first"
    )


def usd_between(estimate: Estimate) -> str:
    """`$5,020 (−$310 to $11,930)`."""
    return f"{usd(estimate.value)} ({usd(estimate.low)} to {usd(estimate.high)})"
