"""The verdict once test was opened: does the fine-tune replace the best cheaper rung? Pure, and with its reason.

A candidate *serves* when it meets `targets.p99_ms` and `targets.validity`. *Clearly better*: the paired interval lies
above 0 and the paired test's p is below 0.05, both in the measure of the target. *Not clearly worse*: it lies above
−`targets.margin`. *Pays*: the net value over the rung is positive with a probability of 95 %; known only where
volume, error cost, cadence and prices are declared. *Open*: the rung is not shown to reach the target, and a fine-tune
that is better by more than `min_effect` and `targets.margin` is not ruled out (or, with known dollars, one that
pays, and is not clearly worse by more than the margin or may reach the target). The first row that holds decides:

| | fine-tune | what holds | verdict |
| --- | --- | --- | --- |
| 1 | not trained | | as decided; but not yet where test contradicts dev: clearly below the target, not above the \
line to beat, or not served |
| 2 | serves | clearly better; and it pays, or that is not known and the gain is min_effect or more | fine-tune |
| 3 | serves | it pays, and is not clearly worse and gives up no target, or surely reaches it: a dear or slow \
prompt is replaced | fine-tune |
| 4 | serves | the rung does not serve, and the fine-tune reaches the target | fine-tune |
| 5 | any | neither reaches the target, labels are few and the curve clearly climbs | not yet |
| 6 | any | the rung does not serve either | not yet |
| 7 | serves | open | not yet: so many test rows cannot show it |
| 8 | any | neither reaches the target | stay: the cheaper of two that fall short, and the reason says so |
| 9 | any | otherwise, ties too | stay |

Without known dollars 2, 8 and 9 are all there is for two that serve and rows that can show it: better, or the cheaper
one stays. With them a gain that is not worth its costs is no reason to change, and equal quality at a lower cost is
one. 8 is no *not yet*: what was waited for, the fine-tune, is there and lost, and labels are enough, or more of them
gain little. The choice is settled and the target is not met, so the reason says by how much and what to do. Where the
target lies above what the test labels can show, 5, 7 and 8 say to fix labels first. Any winner that falls short says
so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tailtune.core.figures import counted, p_value, points_short, points_with_interval, share, two_digits, with_interval
from tailtune.core.label_noise import LabelNoise
from tailtune.core.money import Usd
from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import CandidateResult, DecideReport, Economics, FinalVerdict, Paired, RungResult, Verdict
from tailtune.judge.ceiling import fix_labels_first, say_which_are_one
from tailtune.judge.constraints import (
    Targets,
    above,
    labels_lacking,
    may_serve,
    meets_with_head_room,
    no_better,
    servable,
    shortcomings,
    usd_between,
)
from tailtune.judge.economics import Candidate, CostInputs
from tailtune.judge.evidence import Evidence
from tailtune.judge.net_value import (
    SURE,
    Weighed,
    Worth,
    assumed,
    candidates_beside,
    economics,
    measured,
    on_test,
    paired_gain,
    price_of,
    request_price,
    row_right,
    weigh,
)
from tailtune.judge.stats import SIGNIFICANT, parted
from tailtune.judge.verdict import just_enough, standing
from tailtune.judge.verdict import rule as rule_before
from tailtune.judge.would_change import (
    at_defaults,
    default_lines,
    looser,
    seldom_line,
    target_lines,
    turning_points,
    would_change,
)

_MOST_TIMES = 1000.0
"""Times the rows that are, up to which it is said how many would tell."""


@dataclass(frozen=True, kw_only=True)
class OnTest:
    """One per evaluation: the two candidates that the verdict is about, on test.

    Attributes:
        rung: The best cheaper rung.
        fine_tune: None when nothing was trained.
        comparison: Fine-tune (first) against rung (second); None without a fine-tune.
        line: The best of what ignores the text; None when none was measured. What is not above it wins nothing.
        price: Of a request to the rung, US dollars, as bought on test; None when it was not bought there.
        labels: How many test labels look wrong; None where labels were not checked.
    """

    rung: CandidateResult
    fine_tune: CandidateResult | None = None
    comparison: Paired | None = None
    line: CandidateResult | None = None
    price: Estimate | None = None
    labels: LabelNoise | None = None


def final_verdict(
    tested: OnTest, decided: DecideReport, evidence: Evidence, targets: Targets, max_train_usd: Usd = math.inf
) -> tuple[Decision, FinalVerdict]:
    """Who won on test, and the verdict.

    Args:
        tested: What was measured on test.
        decided: The decision before training.
        evidence: What it was made of.
        targets: What the product needs.
        max_train_usd: What a training may cost at most.

    Returns:
        Yes when the fine-tune is the winner; and the verdict, provisional as the decision was.
    """
    if tested.fine_tune is None or tested.comparison is None:
        return _untrained(tested, decided, evidence, targets, max_train_usd)
    ruled = rule(tested, evidence, targets)
    change, hangs = target_lines(tested.rung, targets, tested.line), ""
    if evidence.inputs is not None:
        ask = lambda other: rule(tested, replace(evidence, inputs=other), targets)[0]  # noqa: E731
        change += turning_points(evidence.inputs, ask) + seldom_line(evidence.cadence, evidence.inputs, ask)
        change, hangs = change + default_lines(evidence.inputs, ask), at_defaults(evidence.inputs, ask)
    verdict, decision = ruled
    change += _if_served(tested, evidence, targets)
    if verdict == "fine-tune" and evidence.cadence.declaring in decided.would_change:
        change.append(evidence.cadence.declaring)  # it would have kept the fine-tune from being trained
    change += [f"measuring {name}" for name in evidence.unmeasured]
    return decision, FinalVerdict(
        verdict=verdict,
        reason=decision.reason + hangs + _parted(tested, evidence),
        provisional=decided.provisional,
        why_provisional=decided.why_provisional,
        would_change=tuple(change),
        economics=_economics(tested, evidence, targets),
    )


def rule(tested: OnTest, evidence: Evidence, targets: Targets) -> tuple[Verdict, Decision]:
    """Rows 2 to 9 of the table and nothing else: the verdict, and whether the fine-tune won."""
    assert tested.fine_tune is not None  # noqa: S101 - row 1 is handled elsewhere
    weighed = weigh_on_test(tested, evidence)
    worth = None if weighed is None else weighed.worth()
    wins = winner(tested, worth, targets, evidence.inputs)
    if wins.yes:
        return "fine-tune", Decision(
            yes=True, reason=wins.reason + _still_short("the fine-tune", tested.fine_tune, targets)
        )
    wrong = fix_labels_first(tested.labels, targets.quality)
    lacking = labels_lacking(evidence.train_rows, evidence.curve, targets)
    if lacking and max(tested.fine_tune.quality.value, tested.rung.quality.value) < targets.quality:
        reason = f"{wins.reason}; neither reaches the target {share(targets.quality)}: {wrong or lacking}"
        return "not-yet", Decision(yes=False, reason=reason)
    if tested.line is not None and not above(tested.rung, tested.line):
        return "not-yet", Decision(yes=False, reason=f"{wins.reason}; {no_better(tested.rung, tested.line)}")
    if not servable(tested.rung, targets):
        missed = f"{tested.rung.title} cannot be served: {shortcomings(tested.rung, targets)}"
        return "not-yet", Decision(yes=False, reason=f"{wins.reason}; {missed}")
    if unshown := _cannot_show(tested, worth, targets):
        return "not-yet", Decision(yes=False, reason=f"{wins.reason}; {wrong or unshown}")
    return "stay", Decision(yes=False, reason=wins.reason + _falls_short(tested, evidence, targets))


def _if_served(tested: OnTest, evidence: Evidence, targets: Targets) -> list[str]:
    """The constraints with which the fine-tune would win; empty where it meets them, or would not win all the same."""
    missed = [] if tested.fine_tune is None else looser(tested.fine_tune, targets)
    if not missed or rule(tested, evidence, replace(targets, p99_ms=None, validity=None, guards=()))[0] != "fine-tune":
        return []
    return [f"{' and '.join(missed)}: the fine-tune wins"]


def _cannot_show(tested: OnTest, worth: Worth | None, targets: Targets) -> str:
    """That the test rows are too few to tell, and about how many would; empty where they can."""
    tuned, gap = tested.fine_tune, _gap(tested)
    if tuned is None or gap is None or tested.rung.quality.low >= targets.quality or not servable(tuned, targets):
        return ""
    half = (gap.high - gap.low) / 2
    if gap.low > 0 or half <= 0 or _ruled_out(tuned, gap, worth, targets):
        return ""
    if worth is None:  # shown to be better, or to gain no more than is worth having
        times = half / max(gap.value, max(targets.min_effect, targets.margin) - gap.value)
    else:
        times = _times_sharper(tested, gap, worth, targets)
    rows = gap.rows * max(1.0, times) ** 2
    tells = f"about {two_digits(rows, math.ceil, least=1.0):,.0f} would tell"
    if rows > _MOST_TIMES * gap.rows:
        tells = "hardly any number would tell, so close do they lie"
    return (
        f"{counted(gap.rows, 'test row')} show the difference to ± {half * 100:.1f} points, and do not rule out a gain "
        f"worth having: {tells}"
    )


def _ruled_out(tuned: CandidateResult, gap: Estimate, worth: Worth | None, targets: Targets) -> bool:
    """Whether no further rows would let the fine-tune win: it gains too little, surely loses money, or is too bad."""
    if worth is None:
        return gap.high <= max(targets.min_effect, targets.margin)
    too_bad = gap.high <= -targets.margin and tuned.quality.high < targets.quality
    return worth.probability <= 1 - SURE or too_bad


def _times_sharper(tested: OnTest, gap: Estimate, worth: Worth, targets: Targets) -> float:
    """How many times as narrow intervals would settle whether it pays and is good enough; infinite where none would.

    It wins where all that is asked of it is shown, and has lost where one thing is shown not to hold.
    """
    assert tested.fine_tune is not None  # noqa: S101 - there is somebody to judge
    reaches = (tested.fine_tune.quality, targets.quality)
    conditions = [(worth.net, 0.0)]
    if gap.high > -targets.margin:
        keeps = tested.fine_tune.quality.value >= targets.quality or tested.rung.quality.value < targets.quality
        conditions += [(gap, -targets.margin)] if keeps else [(gap, -targets.margin), reaches]
    else:
        conditions.append(reaches)
    open_ = [(found.value > limit, found, limit) for found, limit in conditions if found.low <= limit <= found.high]
    against = [(found, limit) for is_for, found, limit in open_ if not is_for]
    times = [
        (found.high - found.low) / 2 / abs(found.value - limit) if found.value != limit else math.inf
        for found, limit in against or [(found, limit) for _, found, limit in open_]
    ]
    return min(times) if against else max(times, default=math.inf)


def _gap(tested: OnTest) -> Estimate | None:
    return None if tested.comparison is None else tested.comparison.difference


def winner(tested: OnTest, worth: Worth | None, targets: Targets, inputs: CostInputs | None) -> Decision:
    """Whether the fine-tune beat the best cheaper rung on test. Ties stay with the cheaper one.

    Args:
        tested: Both, and their comparison.
        worth: Of the fine-tune over the rung; None when not known.
        targets: What the product needs.
        inputs: Volume and prices, as far as they are declared.
    """
    tuned, rung, comparison = tested.fine_tune, tested.rung, tested.comparison
    assert tuned is not None  # noqa: S101 - there is somebody to judge
    assert comparison is not None  # noqa: S101 - of both
    if tested.line is not None and not above(tuned, tested.line):
        return Decision(yes=False, reason=no_better(tuned, tested.line))
    gap, serves = comparison.difference, servable(tuned, targets)
    shown = f"{points_with_interval(gap)}, {p_value(comparison.p)}"
    value = "" if worth is None else _value(worth, inputs)
    # Both must speak: the interval is for readers, the test is exact where few rows differ.
    better = gap.low > 0 and comparison.p < SIGNIFICANT
    pays = worth is not None and worth.probability >= SURE
    if serves and better and (pays or (worth is None and gap.value >= targets.min_effect)):
        return Decision(yes=True, reason=f"the fine-tune beats {rung.title} by {shown}{value}")
    keeps = tuned.quality.value >= targets.quality or rung.quality.value < targets.quality  # quality before dollars
    if serves and pays and keeps and gap.low > -targets.margin:
        return Decision(yes=True, reason=f"the fine-tune is not clearly worse than {rung.title} ({shown}){value}")
    if serves and pays and tuned.quality.low >= targets.quality:
        reached = (
            f"the fine-tune surely reaches the target {share(targets.quality)} too ({with_interval(tuned.quality)})"
        )
        return Decision(yes=True, reason=f"{reached}, though {rung.title} is better (difference {shown}){value}")
    if serves and not servable(rung, targets) and tuned.quality.value >= targets.quality:
        missed = shortcomings(rung, targets)
        return Decision(
            yes=True, reason=f"the fine-tune reaches {with_interval(tuned.quality)}; {rung.title} is out: {missed}"
        )
    if better and not serves:
        return Decision(yes=False, reason=f"the fine-tune is better ({shown}) but {shortcomings(tuned, targets)}")
    if better and worth is None:
        small = f"by less than targets.min_effect {targets.min_effect * 100:g} points"
        return Decision(yes=False, reason=f"the fine-tune is better ({shown}) but {small}; the cheaper one stays")
    if better:
        return Decision(yes=False, reason=f"the fine-tune is better ({shown}) but does not surely pay{value}")
    how = "is clearly worse" if gap.high < 0 and comparison.p < SIGNIFICANT else "is not clearly better"
    than = f"{how} than {rung.title}: {shown}"
    return Decision(yes=False, reason=f"the fine-tune {than}; the cheaper one stays{value}")


def weigh_on_test(tested: OnTest, evidence: Evidence) -> Weighed | None:
    """The fine-tune against the rung in dollars, as measured on test; None when something is not known."""
    rung = _on_dev(tested, evidence)
    price = tested.price or request_price(rung)
    if evidence.inputs is None or price is None or tested.comparison is None or tested.fine_tune is None:
        return None
    return Weighed(
        tuned=_tuned(tested.fine_tune, rung),
        other=on_test(measured(rung), tested.rung, price),
        gain=paired_gain(tested.comparison),
        saved=price_of(price),
        inputs=evidence.inputs,
    )


def untrained(tested: OnTest, decided: Verdict, evidence: Evidence, targets: Targets) -> tuple[Verdict, str]:
    """Row 1 of the table: the verdict where nothing was trained, and how test contradicts dev.

    Args:
        tested: The best rung.
        decided: The verdict before the test.
        evidence: What that was made of.
        targets: What the product needs.

    Returns:
        The words are empty when the verdict is as decided.
    """
    rung, on_dev, missed = tested.rung, _on_dev(tested, evidence), []
    by_chance = may_serve(rung, targets)
    if meets_with_head_room(on_dev.quality, targets) and rung.quality.high < targets.quality:
        missed.append(f"it reaches {with_interval(rung.quality)}, short of {share(targets.quality)}")
        by_chance = False
    if servable(on_dev, targets) and not servable(rung, targets):
        missed.append(shortcomings(rung, targets))
    if tested.line is not None and not above(rung, tested.line):
        missed.append(f"it is no better than {tested.line.title}, which ignores the text")
        by_chance = False
    if decided != "stay" or not missed:
        return decided, ""
    then = "find out how test differs from dev before anything is decided"
    if by_chance:
        then = "its interval reaches what is asked for, so time or label more test rows to tell"
    return "not-yet", f"{rung.title} did on dev, but on test {' and '.join(missed)}: {then}"


def _untrained(
    tested: OnTest, decided: DecideReport, evidence: Evidence, targets: Targets, max_train_usd: Usd
) -> tuple[Decision, FinalVerdict]:
    """Row 1 with the test's figures: the verdict, its reason, and what would change it."""
    verdict, reason = untrained(tested, decided.verdict, evidence, targets)
    rung, shown = _as_tested(tested, evidence)
    outcome = rule_before(shown, targets, max_train_usd, rung)
    change: Sequence[str] = (
        *target_lines(rung, targets, shown.line),
        *(f"measuring {name}" for name in shown.unmeasured),
    )
    if not reason and outcome.verdict == verdict:
        reason = f"on test {outcome.reason}"
        change = would_change(
            shown, targets, rung, lambda other: rule_before(other, targets, max_train_usd, rung).verdict
        )
    elif not reason:
        holds = "until it is decided again"
        if verdict == "stay":
            within = rung.quality.low <= targets.quality <= rung.quality.high
            holds = f"as {'the target is within the interval on test' if within else 'test does not speak against it'}"
        was = (
            f"on dev it was {with_interval(_on_dev(tested, evidence).quality)}, and the verdict of then holds, {holds}"
        )
        reason = f"on test {standing(rung, targets)}; {was}"
    return Decision(yes=False, reason=f"nothing was trained; {rung.title} answers"), FinalVerdict(
        verdict=verdict,
        reason=reason + _parted(tested, evidence),
        provisional=decided.provisional,
        why_provisional=decided.why_provisional,
        would_change=tuple(change),
        economics=_untrained_economics(rung, tested, shown, targets),
    )


def _as_tested(tested: OnTest, evidence: Evidence) -> tuple[RungResult, Evidence]:
    """The rung with its figures on test, and the evidence with it, the line and the labels in place of those on dev."""
    on_dev, result, price = _on_dev(tested, evidence), tested.rung, tested.price
    known: dict[str, Any] = {
        "metrics": result.metrics,
        "invalid_rows": result.invalid_rows,
        "look_alike_rows": result.look_alike_rows,
        "latency": result.latency or on_dev.latency,
    }
    if price is not None:
        known |= {"usd_per_1000": price.value * 1000, "usd_low": price.low * 1000, "usd_high": price.high * 1000}
    rung, line = on_dev.model_copy(update=known), evidence.line
    if line is not None and tested.line is not None:
        line = line.model_copy(update={"title": tested.line.title, "metrics": tested.line.metrics})
    rungs = tuple(rung if other is on_dev else other for other in evidence.rungs)
    return rung, replace(evidence, rungs=rungs, line=line, labels=tested.labels, split="test")


def _untrained_economics(rung: RungResult, tested: OnTest, shown: Evidence, targets: Targets) -> Economics | None:
    if shown.inputs is None:
        return None
    tuned = just_enough(rung, targets)
    return economics(
        _beside(rung, tested, shown.rungs, targets, shown.inputs), tuned, weigh(rung, tuned, shown.inputs), shown.inputs
    )


def _beside(
    rung: RungResult, tested: OnTest, rungs: Sequence[RungResult], targets: Targets, inputs: CostInputs
) -> list[Candidate]:
    """The candidates beside the fine-tune: the tested rung with its figures on test first."""
    first, *others = candidates_beside(rung, rungs, targets, inputs)
    return [on_test(first, tested.rung, tested.price), *others]


def _parted(tested: OnTest, evidence: Evidence) -> str:
    """How far the rung's test lies from its dev, as the end of a sentence; empty where chance explains it.

    Limit: rows of a rung that was bought until an answer was clear count as a fixed sample.
    """
    gap, p = parted(row_right(tested.rung), row_right(_on_dev(tested, evidence)))
    if p >= SIGNIFICANT:
        return ""
    ends = sorted((abs(gap.low * 100), abs(gap.high * 100)))
    return (
        f"; {tested.rung.title} is right {abs(gap.value) * 100:.1f} points ({ends[0]:.1f} to {ends[1]:.1f}) "
        f"{'less' if gap.value < 0 else 'more'} often on test than on dev, {p_value(p)}: more than chance explains"
    )


def _still_short(name: str, result: CandidateResult, targets: Targets) -> str:
    """That the winner falls short of the target, and by how much, as the end of a sentence; empty when it does not."""
    if result.quality.value >= targets.quality:
        return ""
    alike = say_which_are_one(result)
    short = f"; {name} is still {_missing(result, targets)} short of the target {share(targets.quality)}"
    return f"{short}: {alike}" if alike else short


def _falls_short(tested: OnTest, evidence: Evidence, targets: Targets) -> str:
    """The same for a rung that stays, and what to do when neither reaches it."""
    tuned, rung = tested.fine_tune, tested.rung
    assert tuned is not None  # noqa: S101 - there were two
    if max(tuned.quality.value, rung.quality.value) >= targets.quality:
        return _still_short(rung.title, rung, targets)
    wrong = fix_labels_first(tested.labels, targets.quality)
    first = wrong or ("measure what was not measured" if evidence.unmeasured else "read the failures on test")
    return (
        f"; neither reaches the target {share(targets.quality)}: {rung.title} is {_missing(rung, targets)} short, the "
        f"fine-tune {_missing(tuned, targets)}; stay is the cheaper of two that fall short: {first}, or agree on a "
        "lower target, before more is spent"
    )


def _missing(result: CandidateResult, targets: Targets) -> str:
    """`4.0 points (3.0 to 5.0)`: how far below the target, with the interval; a high end above it is below zero."""
    ends = (result.quality.high, result.quality.low)
    least, most = (f"{round((targets.quality - end) * 100, 1) + 0.0:.1f}".replace("-", "−") for end in ends)  # no −0.0
    return f"{points_short(targets.quality - result.quality.value)} ({least} to {most})"


def _economics(tested: OnTest, evidence: Evidence, targets: Targets) -> Economics | None:
    """All candidates: both that were tested with their figures on test, another with its figures on dev."""
    if evidence.inputs is None or tested.fine_tune is None:
        return None
    rung = _on_dev(tested, evidence)
    beside = _beside(rung, tested, evidence.rungs, targets, evidence.inputs)
    return economics(beside, _tuned(tested.fine_tune, rung), weigh_on_test(tested, evidence), evidence.inputs)


def _on_dev(tested: OnTest, evidence: Evidence) -> RungResult:
    """The tested rung with its figures on dev."""
    return next(rung for rung in evidence.rungs if rung.name == tested.rung.name)


def _tuned(result: CandidateResult, rung: RungResult) -> Candidate:
    return on_test(assumed(rung, 1.0, ""), result, None)


def _value(worth: Worth, inputs: CostInputs | None) -> str:
    """What it is worth, as the end of a sentence."""
    over = "" if inputs is None else f" over {counted(inputs.horizon_months, 'month')}"
    return f"; its net value{over} is {usd_between(worth.net)}, positive with {share(worth.probability)}"
