"""Stay with a cheaper rung, fine-tune, or not yet: taken before money is spent. Pure, and with its reason.

Constraints come first, dollars second, and dollars only speak where everything they need is declared. A rung *serves*
when it meets `targets.p99_ms` (the network of an endpoint included) and `targets.validity`; it *stays* when it serves
and meets the target with head-room. The first row that holds decides:

| | a rung stays | dollars known | what holds | verdict |
| --- | --- | --- | --- | --- |
| 1 | yes | yes | a fine-tune that just reaches the target is worth more, and neither 4 nor 6 holds | fine-tune |
| 2 | yes | either | otherwise | stay: the highest net value; the cheapest first without dollars |
| 3 | no | yes | a rung serves, and even an optimistic fine-tune is worth no more than it | stay: nothing pays |
| 4 | no | either | labels are few and the curve still climbs | not yet: label first |
| 5 | no | either | monthly changes are declared, and no positive net value (retrainings counted) is known | not yet |
| 6 | no | either | training is estimated above `train.max_cost_usd` | not yet |
| 7 | no | either | otherwise | fine-tune |

5 weighs a fine-tune that just reaches the target, and takes a declaration: a cadence that git shows is named among what
would change the verdict, and reckoned with in dollars, but forbids nothing. 3 stands before 4 and 5: labels for a model
that cannot pay are the dearest advice there is. Where no rung stays, the best one is the one of highest quality; with
dollars, the one of highest net value among those whose error is at most `head_room` times the least.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tailtune.config.model import TargetsSpec, TrainSpec
from tailtune.core.records import Decision
from tailtune.core.reports import Economics, RungResult, Verdict
from tailtune.judge.constraints import (
    fast_enough,
    labels_lacking,
    meets_with_head_room,
    needed,
    quality_value,
    servable,
    shortcomings,
)
from tailtune.judge.evidence import Evidence
from tailtune.judge.turning import volume_that_pays, would_change
from tailtune.judge.weighing import (
    Weighed,
    assumed,
    best_value,
    economics,
    optimistic_quality,
    roads_beside,
    weigh,
)
from tailtune.judge.wording import months, pct, usd


@dataclass(frozen=True)
class Outcome:
    """One per verdict."""

    verdict: Verdict
    reason: str
    best: RungResult
    would_change: tuple[str, ...] = ()
    economics: Economics | None = None


def verdict(evidence: Evidence, targets: TargetsSpec, train: TrainSpec) -> Outcome:
    """The verdict with its reason, what would change it, and both roads where a volume is declared.

    The fine-tune among the roads is one that just reaches the target: nothing is trained yet.
    """
    found = rule(evidence, targets, train)
    setting, roads = evidence.setting, None
    if setting is not None:
        tuned = assumed(found.best, targets.quality, f"if it just reaches the target {targets.quality:.1%}")
        beside = roads_beside(found.best, evidence.rungs, targets, setting)
        roads = economics(beside, tuned, weigh(found.best, tuned, setting), setting)
    change = would_change(evidence, targets, found.best, lambda other: rule(other, targets, train).verdict)
    return replace(found, would_change=change, economics=roads)


def rule(evidence: Evidence, targets: TargetsSpec, train: TrainSpec) -> Outcome:
    """The table above and nothing else: the verdict, its reason and the best rung."""
    serving = [rung for rung in evidence.rungs if servable(rung, targets)]
    staying = [rung for rung in serving if meets_with_head_room(rung.quality, targets)]
    best = _best(evidence, targets, serving, staying)
    worth = _worth(weigh(best, assumed(best, targets.quality, ""), evidence.setting))
    against = _against(evidence, worth, targets, train)
    if staying and (worth <= 0 or against):
        return Outcome("stay", _why_stay(best, len(staying), evidence, targets), best)
    if staying:
        return Outcome("fine-tune", f"{_reaches(best, targets)}; {_replaces(best, evidence, worth, targets)}", best)
    short = _why_not(best, targets)
    if best in serving and (nothing := _nothing_pays(best, serving, evidence, targets)):
        return Outcome("stay", f"{short}; {nothing}", best)
    if against:
        return Outcome("not-yet", f"{short}; {against}", best)
    spend = "at no declared price" if evidence.estimated_usd is None else f"for about ${evidence.estimated_usd:.4f}"
    return Outcome("fine-tune", f"{short}; {evidence.train_rows:,} good labels can train an adapter {spend}", best)


def may_train(outcome: Outcome, train: TrainSpec) -> Decision:
    """Whether the train stage may spend: the verdict, unless the spec overrules it."""
    if train.when == "always":
        return Decision(yes=True, reason=f"train.when is always (the verdict alone was {outcome.verdict})")
    if train.when == "never":
        return Decision(yes=False, reason=f"train.when is never (the verdict alone was {outcome.verdict})")
    return Decision(yes=outcome.verdict == "fine-tune", reason=outcome.reason)


def _best(
    evidence: Evidence, targets: TargetsSpec, serving: Sequence[RungResult], staying: Sequence[RungResult]
) -> RungResult:
    if staying:
        return best_value(staying, evidence.setting) or staying[0]
    able = serving or list(evidence.rungs)
    best = max(able, key=quality_value)
    # Quality first, dollars within its head-room: a rung that hardly answers is cheap to own where errors are cheap.
    near = [rung for rung in able if 1 - quality_value(rung) <= targets.head_room * (1 - quality_value(best))]
    return best_value(near, evidence.setting) or best


def _worth(weighed: Weighed | None) -> float:
    """Net value of a fine-tune, US dollars over the horizon; −infinite when it is not known."""
    found = None if weighed is None else weighed.worth()
    return -math.inf if found is None else found.net.value


def _against(evidence: Evidence, worth: float, targets: TargetsSpec, train: TrainSpec) -> str:
    """What speaks against training now, in words; empty when nothing does."""
    lacking = labels_lacking(evidence.train_rows, evidence.curve, targets)
    if lacking:
        return lacking
    if evidence.cadence.binding and worth <= 0:
        every = f"a change every {evidence.cadence.days:,.0f} days is declared"
        why = f"{every}: so often, a fine-tune must be trained again and again, "
        if worth == -math.inf:
            return f"{why}and what that would be worth is not known (declare value and prices to weigh it)"
        return f"{why}and one that just reaches the target {targets.quality:.1%} would lose {usd(-worth)}"
    if evidence.estimated_usd is not None and evidence.estimated_usd > float(train.max_cost_usd):
        over = f"over train.max_cost_usd ${train.max_cost_usd}"
        return f"training is estimated at ${evidence.estimated_usd:.2f}, {over}"
    return ""


def _nothing_pays(best: RungResult, serving: Sequence[RungResult], evidence: Evidence, targets: TargetsSpec) -> str:
    """Why even an optimistic fine-tune is not worth it, in words; empty when it may be, or that is not known."""
    quality = optimistic_quality(best, serving, targets)
    weighed = weigh(best, assumed(best, quality, ""), evidence.setting)
    found = None if weighed is None else weighed.worth()
    if weighed is None or found is None or found.net.value > 0:
        return ""
    horizon = months(weighed.setting.value.horizon_months)
    told = f"nothing pays: even a fine-tune at {quality:.1%} would lose {usd(-found.net.value)} over {horizon}"
    paying = volume_that_pays(weighed)
    return told + ("" if paying is None else f"; it would pay from {paying:,.0f} requests a day")


def _why_stay(rung: RungResult, staying: int, evidence: Evidence, targets: TargetsSpec) -> str:
    others = f"; of {staying} rungs that do, it costs least to own" if staying > 1 and evidence.setting else ""
    return _reaches(rung, targets) + (others if best_value([rung], evidence.setting) else "")


def _reaches(rung: RungResult, targets: TargetsSpec) -> str:
    return (
        f"{rung.title} reaches {pct(rung.quality)}: at or above {needed(targets):.1%}, "
        f"the target {targets.quality:.1%} with head-room {targets.head_room:g}"
    )


def _replaces(best: RungResult, evidence: Evidence, worth: float, targets: TargetsSpec) -> str:
    assert evidence.setting is not None  # noqa: S101 - there is a net value
    horizon = months(evidence.setting.value.horizon_months)
    return (
        f"but a fine-tune that just reaches the target {targets.quality:.1%} would be worth {usd(worth)} more over "
        f"{horizon}, errors counted"
    )


def _why_not(rung: RungResult, targets: TargetsSpec) -> str:
    """Why not even the best rung does, in the order in which the table asks."""
    reached = f"{rung.title} reaches {pct(rung.quality)}"
    if not fast_enough(rung, targets):
        return f"no rung meets the latency target p99 {targets.p99_ms:g} ms; {reached} at {rung.latency.p99_ms:.1f} ms"
    if not servable(rung, targets):
        return f"{reached}, but {shortcomings(rung, targets)}"
    if rung.quality.value < needed(targets):
        return f"{reached}, short of {needed(targets):.1%} (target {targets.quality:.1%} with head-room)"
    return f"{reached}, but the low end of its interval is short of the target {targets.quality:.1%}"
