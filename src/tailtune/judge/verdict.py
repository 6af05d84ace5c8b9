"""Stay with a cheaper rung, fine-tune, or not yet: taken before money is spent. Pure, and with its reason.

Constraints come first, dollars second, and dollars only speak where everything they need is declared. A rung *serves*
when it meets `targets.p99_ms` (the network of an endpoint included) and `targets.validity`; it *stays* when it serves,
meets the target with head-room, and is above the *line to beat*: the best of what answers every text alike, such as the
majority class, which is never a candidate itself. The first row that holds decides:

| | a rung stays | dollars known | what holds | verdict |
| --- | --- | --- | --- | --- |
| 0 | no | either | the line itself reaches the target, and no rung is above it | not yet: the target cannot tell |
| 1 | yes | yes | a fine-tune that just reaches the target is worth more, and neither 4 nor 6 holds | fine-tune |
| 2 | yes | either | otherwise | stay: the highest net value; the cheapest first without dollars |
| 3 | no | yes | a rung above the line serves, and no optimistic fine-tune is worth more | stay: nothing pays |
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tailtune.core.figures import counted
from tailtune.core.measures import MEASURES
from tailtune.core.money import Usd
from tailtune.core.records import Decision
from tailtune.core.reports import (
    CandidateResult,
    CurvePoint,
    DiagnoseReport,
    Economics,
    Reading,
    RungResult,
    Scored,
    Verdict,
)
from tailtune.judge.constraints import (
    Targets,
    above,
    fast_enough,
    labels_lacking,
    needed,
    no_better,
    pct,
    quality_value,
    servable,
    shortcomings,
    stays,
    usable_enough,
    usd,
    validity,
)
from tailtune.judge.economics import SELDOM_DAYS, Cadence, Candidate, CostInputs
from tailtune.judge.net_value import (
    Weighed,
    assumed,
    best_value,
    candidates_beside,
    economics,
    optimistic_quality,
    weigh,
)

_WORDS: dict[Verdict, str] = {
    "stay": "a cheaper rung stays",
    "fine-tune": "the fine-tune wins",
    "not-yet": "it is not yet time",
}
_FURTHEST = 1000.0
"""Factor up to which another volume or error cost is looked for; further away nobody plans for it."""
_STEP = 2.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One per use case and moment: everything the verdict is made of.

    Attributes:
        rungs: Measured rungs, cheapest first, prompted ones after local ones; at least one. None ignores the text.
        curve: A cheap rung by number of train rows, ascending.
        train_rows: Good labelled rows after curation, dev and test not counted.
        estimated_usd: What training is expected to cost; None when no price is declared.
        unmeasured: What could not be measured and could change the verdict, in words.
        narrow: What is known of the answers' format, in words.
        cadence: How often behaviour must change.
        diagnosis: Whose fault the best prompt's failures are; None when there was none to diagnose.
        reading: How much of the texts the encoder can read; None when it was not measured.
        inputs: Volume and prices; None when no volume is declared, and then nothing is weighed in dollars.
        line: The best of what answers every text alike, which every rung must beat; None when none was measured.
    """

    rungs: Sequence[RungResult]
    curve: Sequence[CurvePoint]
    train_rows: int
    estimated_usd: Usd | None
    unmeasured: tuple[str, ...]
    narrow: str = ""
    cadence: Cadence = field(default_factory=Cadence)
    diagnosis: DiagnoseReport | None = None
    reading: Reading | None = None
    inputs: CostInputs | None = None
    line: RungResult | None = None


@dataclass(frozen=True)
class Outcome:
    """One per verdict."""

    verdict: Verdict
    reason: str
    best: RungResult
    would_change: tuple[str, ...] = ()
    economics: Economics | None = None


def verdict(evidence: Evidence, targets: Targets, max_train_usd: Usd) -> Outcome:
    """The verdict with its reason, what would change it, and all candidates in dollars where a volume is declared.

    The fine-tune among the candidates is one that just reaches the target: nothing is trained yet.

    Args:
        evidence: What the verdict is made of.
        targets: What the product needs.
        max_train_usd: What a training may cost at most, `train.max_cost_usd`.
    """
    outcome = rule(evidence, targets, max_train_usd)
    inputs, dollars = evidence.inputs, None
    if inputs is not None:
        tuned = just_enough(outcome.best, targets)
        beside = candidates_beside(outcome.best, evidence.rungs, targets, inputs)
        dollars = economics(beside, tuned, weigh(outcome.best, tuned, inputs), inputs)
    change = would_change(evidence, targets, outcome.best, lambda other: rule(other, targets, max_train_usd).verdict)
    return replace(outcome, would_change=change, economics=dollars)


def just_enough(best: RungResult, targets: Targets) -> Candidate:
    """A fine-tune that is not trained, taken to just reach the target."""
    return assumed(best, targets.quality, f"if it just reaches the target {targets.quality:.1%}")


def rule(evidence: Evidence, targets: Targets, max_train_usd: Usd, about: RungResult | None = None) -> Outcome:
    """The table above and nothing else: the verdict, its reason and the best rung.

    Args:
        evidence: What the verdict is made of.
        targets: What the product needs.
        max_train_usd: What a training may cost at most.
        about: The rung that was chosen before; None when one of all is to be chosen.
    """
    able = evidence.rungs if about is None else [about]
    serving = [rung for rung in able if servable(rung, targets)]
    staying = [rung for rung in serving if stays(rung, targets, evidence.line)]
    best = about or _best(evidence, targets, serving, staying)
    untold = _cannot_tell(best, evidence.line, targets)
    if untold:
        return Outcome("not-yet", untold, best)
    worth = _worth(weigh(best, assumed(best, targets.quality, ""), evidence.inputs))
    against = _against(evidence, worth, targets, max_train_usd)
    if staying and (worth <= 0 or against):
        return Outcome("stay", _why_stay(best, len(staying), evidence, targets), best)
    if staying:
        return Outcome("fine-tune", f"{_reaches(best, targets)}; {_replaces(best, evidence, worth, targets)}", best)
    short = _why_not(best, targets)
    if best in serving and above(best, evidence.line) and (nothing := _nothing_pays(best, serving, evidence, targets)):
        return Outcome("stay", f"{short}; {nothing}", best)
    if against:
        return Outcome("not-yet", f"{short}; {against}", best)
    spend = "at no declared price" if evidence.estimated_usd is None else f"for about ${evidence.estimated_usd:.4f}"
    return Outcome("fine-tune", f"{short}; {evidence.train_rows:,} good labels can train an adapter {spend}", best)


def may_train(outcome: Outcome, when: Literal["auto", "always", "never"]) -> Decision:
    """Whether the train stage may spend: the verdict, unless `train.when` overrules it."""
    if when == "always":
        return Decision(yes=True, reason=f"train.when is always (the verdict alone was {outcome.verdict})")
    if when == "never":
        return Decision(yes=False, reason=f"train.when is never (the verdict alone was {outcome.verdict})")
    return Decision(yes=outcome.verdict == "fine-tune", reason=outcome.reason)


def _best(
    evidence: Evidence, targets: Targets, serving: Sequence[RungResult], staying: Sequence[RungResult]
) -> RungResult:
    if staying:
        return best_value(staying, evidence.inputs) or staying[0]
    able = serving or list(evidence.rungs)
    able = [rung for rung in able if above(rung, evidence.line)] or able
    best = max(able, key=quality_value)
    # Quality first, dollars within its head-room: a rung that hardly answers is cheap to own where errors are cheap.
    near = [rung for rung in able if 1 - quality_value(rung) <= targets.head_room * (1 - quality_value(best))]
    return best_value(near, evidence.inputs) or best


def _worth(weighed: Weighed | None) -> float:
    """Net value of a fine-tune, US dollars over the horizon; −infinite when it is not known."""
    worth = None if weighed is None else weighed.worth()
    return -math.inf if worth is None else worth.net.value


def _against(evidence: Evidence, worth: float, targets: Targets, max_train_usd: Usd) -> str:
    """What speaks against training now, in words; empty when nothing does."""
    if evidence.reading is not None and evidence.reading.mostly_unreadable:
        return (
            f"{evidence.reading.lines[0]}, and a fine-tune starts from it: an encoder of their language must come first"
        )
    lacking = labels_lacking(evidence.train_rows, evidence.curve, targets)
    if lacking:
        return lacking
    if evidence.cadence.binding and worth <= 0:
        every = f"a change every {evidence.cadence.days:,.0f} days is declared"
        why = f"{every}: so often, a fine-tune must be trained again and again, "
        if worth == -math.inf:
            return f"{why}and what that would be worth is not known (declare value and prices to weigh it)"
        return f"{why}and one that just reaches the target {targets.quality:.1%} would lose {usd(-worth)}"
    if evidence.estimated_usd is not None and evidence.estimated_usd > max_train_usd:
        over = f"over train.max_cost_usd ${max_train_usd:g}"
        return f"training is estimated at ${evidence.estimated_usd:.2f}, {over}"
    return ""


def _nothing_pays(best: RungResult, serving: Sequence[RungResult], evidence: Evidence, targets: Targets) -> str:
    """Why even an optimistic fine-tune is not worth it, in words; empty when it may be, or that is not known."""
    quality = optimistic_quality(best, serving, targets)
    weighed = weigh(best, assumed(best, quality, ""), evidence.inputs)
    worth = None if weighed is None else weighed.worth()
    if weighed is None or worth is None or worth.net.value > 0:
        return ""
    horizon = counted(weighed.inputs.horizon_months, "month")
    reason = f"nothing pays: even a fine-tune at {quality:.1%} would lose {usd(-worth.net.value)} over {horizon}"
    paying = volume_that_pays(weighed)
    return reason + ("" if paying is None else f"; it would pay from {paying:,.0f} requests a day")


def _cannot_tell(best: RungResult, line: RungResult | None, targets: Targets) -> str:
    """Why the target's measure does not tell what reads the text, and what to do; empty where it does.

    It does not where the target is reached without reading the text, and nothing measured does better than that.
    """
    if line is None or line.quality.value < targets.quality or above(best, line):
        return ""
    return (
        f"{no_better(best, line)} and reaches the target {targets.quality:.1%}: {MEASURES[targets.metric].title} "
        f"cannot tell here what reads the text; set targets.{targets.metric} above {pct_up(line)}, or label more rows "
        "of the rarer answers, then run again"
    )


def line_note(evidence: Evidence, targets: Targets) -> str:
    """That the target is reached without reading the text too, as the end of a sentence; empty when it is not."""
    line = evidence.line
    if line is None or line.quality.value < targets.quality:
        return ""
    return (
        f"; but {line.title}, which ignores the text, reaches the target too ({pct(line.quality)}): look at the "
        "weakest answers before you rely on it"
    )


def pct_up(line: RungResult) -> str:
    """Quality of the line, rounded up: a target above it is one that the line does not reach."""
    return f"{math.ceil(line.quality.value * 1000) / 1000:.1%}"


def _why_stay(rung: RungResult, staying: int, evidence: Evidence, targets: Targets) -> str:
    others = f"; of {staying} rungs that do, it costs least to own" if staying > 1 and evidence.inputs else ""
    return (
        _reaches(rung, targets) + (others if best_value([rung], evidence.inputs) else "") + line_note(evidence, targets)
    )


def _reaches(rung: RungResult, targets: Targets) -> str:
    return (
        f"{rung.title} reaches {pct(rung.quality)}: at or above {needed(targets):.1%}, "
        f"the target {targets.quality:.1%} with head-room {targets.head_room:g}"
    )


def _replaces(best: RungResult, evidence: Evidence, worth: float, targets: Targets) -> str:
    assert evidence.inputs is not None  # noqa: S101 - there is a net value
    horizon = counted(evidence.inputs.horizon_months, "month")
    return (
        f"but a fine-tune that just reaches the target {targets.quality:.1%} would be worth {usd(worth)} more over "
        f"{horizon}, errors counted"
    )


def standing(rung: RungResult, targets: Targets) -> str:
    """What a rung reaches, and how that lies to what is needed."""
    return _reaches(rung, targets) if stays(rung, targets, None) else _why_not(rung, targets)


def _why_not(rung: RungResult, targets: Targets) -> str:
    """Why not even the best rung does, in the order in which the table asks."""
    reached = f"{rung.title} reaches {pct(rung.quality)}"
    if not fast_enough(rung, targets):
        return f"no rung meets the latency target p99 {targets.p99_ms:g} ms; {reached} at {rung.latency.p99_ms:.1f} ms"
    if not servable(rung, targets):
        return f"{reached}, but {shortcomings(rung, targets)}"
    if rung.quality.value < needed(targets):
        return f"{reached}, short of {needed(targets):.1%} (target {targets.quality:.1%} with head-room)"
    return f"{reached}, but the low end of its interval is short of the target {targets.quality:.1%}"


def would_change(
    evidence: Evidence, targets: Targets, best: RungResult, ask: Callable[[Evidence], Verdict]
) -> tuple[str, ...]:
    """What would change the verdict before training, as sentences: each figure was tried by asking the rule again.

    Target, volume, cost of an error, cadence, and what is unmeasured.

    Args:
        evidence: What the verdict is made of.
        targets: What the product needs.
        best: The rung that the verdict names.
        ask: The verdict on other evidence.
    """
    lines = [target_line(best, targets, evidence.line)]
    if evidence.inputs is not None:
        lines += turning_points(evidence.inputs, lambda other: ask(replace(evidence, inputs=other)))
    seen = evidence.cadence
    if seen.declaring and ask(replace(evidence, cadence=replace(seen, declared_days=seen.seen_days))) != ask(evidence):
        lines.append(seen.declaring)
    if evidence.inputs is not None:
        lines += seldom_line(seen, evidence.inputs, lambda other: ask(replace(evidence, inputs=other)))
    lines += [f"measuring {name}" for name in evidence.unmeasured]
    return tuple(lines)


def seldom_line(cadence: Cadence, inputs: CostInputs, ask: Callable[[CostInputs], Verdict]) -> list[str]:
    """A line when a cadence that git shows, and nobody has declared, turned the verdict through the dollars."""
    if not cadence.seldom or ask(replace(inputs, cadence_days=SELDOM_DAYS)) == ask(inputs):
        return []
    return [cadence.seldom]


def turning_points(inputs: CostInputs, ask: Callable[[CostInputs], Verdict]) -> list[str]:
    """The nearest volumes and costs of an error, up and down, at which the verdict is another.

    Args:
        inputs: As they are.
        ask: The verdict at others.
    """
    lines, per_day, error_usd = [], inputs.requests_per_day, inputs.error_usd
    if per_day:
        for volume, there in _nearest(per_day, lambda other: ask(replace(inputs, requests_per_day=other)), least=1.0):
            lines.append(f"at {volume:,.0f} requests a day {_WORDS[there]}; you have {per_day:,.0f}")
    if error_usd:
        for error, there in _nearest(error_usd, lambda other: ask(replace(inputs, error_usd=other))):
            lines.append(f"with an error worth {usd(error)} instead of {usd(error_usd)} {_WORDS[there]}")
    return lines


def target_line(best: RungResult | CandidateResult, targets: Targets, line: Scored | None) -> str:
    """The target at which a rung does, or no longer does; no target makes one do that is not above the line."""
    if line is not None and not above(best, line):
        return f"a rung or a fine-tune above {pct(line.quality)}, what {line.title} reaches without reading the text"
    enough = max(0.0, min(best.quality.low, 1 - (1 - best.quality.value) * targets.head_room))
    measure = MEASURES[targets.metric].title
    if stays(best, targets, None):
        return f"a target {measure} above {math.ceil(enough * 1000) / 1000:.1%}: {best.title} would no longer do"
    # Rounded down: at exactly the printed target the rung must do.
    lower = f"{math.floor(enough * 1000) / 1000:.1%} or less{_other_targets(best, targets)}"
    return f"a target {measure} of {lower}: {best.title} would do"


def _other_targets(rung: RungResult | CandidateResult, targets: Targets) -> str:
    """Other targets to relax."""
    relaxed = []
    if not fast_enough(rung, targets) and rung.latency is not None:
        relaxed.append(f"a latency target of {rung.latency.p99_ms:.1f} ms or more")
    if not usable_enough(rung, targets):
        relaxed.append(f"a validity of {math.floor(validity(rung).value * 1000) / 1000:.1%} or less")
    return f" with {' and '.join(relaxed)}" if relaxed else ""


def volume_that_pays(weighed: Weighed) -> float | None:
    """Requests a day from which the fine-tune's net value is above 0, at two digits; None when at none."""
    worth = weighed.worth()
    if worth is None or math.isnan(worth.break_even.value):
        return None
    return _rounded(worth.break_even.value, math.ceil, least=1.0)


def _nearest(now: float, ask: Callable[[float], Verdict], least: float = 0.0) -> list[tuple[float, Verdict]]:
    """The nearest values above and below with another answer, and where it is not that, with the fine-tune as answer.

    Limit: looks in doublings, so an answer that changes and changes back within one is not seen.
    """
    nearest, here = [], ask(now)
    for up in (True, False):
        turned = _turned(now, ask, up, least, {"stay", "fine-tune", "not-yet"} - {here})
        nearest += [turned] if turned else []
        if turned and here != "fine-tune" and turned[1] != "fine-tune":
            wins = _turned(turned[0], ask, up, least, {"fine-tune"})
            nearest += [wins] if wins else []
    return nearest


def _turned(
    now: float, ask: Callable[[float], Verdict], up: bool, least: float, others: set[str]
) -> tuple[float, Verdict] | None:
    """The nearest value with one of the other verdicts, rounded away from now; None when there is none within reach."""
    near, far = now, now
    while max(far / now, now / far) <= _FURTHEST and ask(far) not in others:
        near, far = far, far * _STEP if up else far / _STEP
    if ask(far) not in others:
        return None
    for _ in range(12):
        middle = math.sqrt(near * far)
        near, far = (near, middle) if ask(middle) in others else (middle, far)
    for round_ in (round, math.ceil if up else math.floor):  # away from now only where the nearest has not turned yet
        value = _rounded(far, round_, least)
        if value > 0 and (there := ask(value)) in others:
            return value, there
    return None  # rounding stepped over a narrow range


def _rounded(value: float, round_: Callable[[float], int], least: float) -> float:
    """Two significant digits, but no finer than `least`."""
    if value <= 0:
        return 0.0
    unit = max(least, 10.0 ** (math.floor(math.log10(value)) - 1))
    return round_(value / unit) * unit
