"""Stay with a cheaper rung, fine-tune, or not yet: taken before money is spent. Pure, and with its reason.

Constraints come first, dollars second, and dollars only speak where everything they need is declared. A rung *serves*
when it meets `targets.p99_ms` (the network of an endpoint included) and `targets.validity`; it *stays* when it serves,
meets the target with head-room, and is above the *line to beat*: the best of what answers every text alike, such as the
majority class, which is never a candidate itself. The first row that holds decides:

| | a rung stays | dollars known | what holds | verdict |
| --- | --- | --- | --- | --- |
| 0 | no | either | the line itself reaches the target, and no rung is above it | not yet: the target cannot tell |
| 1 | yes | yes | a fine-tune that just reaches the target is worth more, and nothing of 4 and 6 to 10 holds | \
fine-tune; where 6 alone holds, not yet: a cheaper rung may do |
| 2 | yes | either | otherwise | stay: the highest net value; without dollars the cheapest \
of those that leave least doubt about a floor |
| 3 | no | yes | a rung above the line serves, and no optimistic fine-tune is worth more | stay: nothing pays |
| 4 | no | either | it was decided to prompt no language model (`prompt.models` is empty) | not yet: prompt first |
| 5 | no | either | most errors of the best rung name a label that looks like the right one, or the target lies above \
what the dev labels can show (ceiling.py) | not yet: fix labels first |
| 6 | no | either | a rung may do, and the dev rows cannot show whether | not yet: more dev rows |
| 7 | no | either | the best prompt fails by its context or by labels, and would do without | not yet: fix that first |
| 8 | no | either | monthly changes are declared, and no positive net value (retrainings counted) is known | not yet |
| 9 | no | either | labels are few and the curve clearly climbs | not yet: label first |
| 10 | no | either | training is estimated above `train.max_cost_usd` | not yet |
| 11 | no | either | otherwise | fine-tune |

A rung stays by an interval that knows how many rungs were looked at, and by values that reach every floor: with
head-room they do, unless rare labels are neglected. Where 3 holds and they do not, the answer is *not yet*, too. 6 is
also for one that would stay but for a constraint whose interval reaches what is asked for; it is not for one that 1
would replace if it did: then more rows would change nothing. Whoever misses by one constraint alone is named. 8 weighs
a fine-tune that just reaches the target, and takes a declaration: a cadence that git shows is named among what would
change the verdict, and reckoned with in dollars, but forbids nothing. 3 stands before 4 to 9: prompts, rows and labels
for a model that cannot pay are the dearest advice there is. 5 takes the high end of the ceiling's interval, and stands
before 6: no number of rows shows what their labels hide. Where 5 holds by its ceiling, or 9 does, and a training costs
less than `train.experiment_usd`, it is run instead of argued about; the verdict is the same. Where no rung stays, the
best one is the one of highest quality; with dollars, the one of highest net value among those whose error is at most
`head_room` times the least, and which reach the target if any does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tailtune.core.figures import counted, every, share, short_of, usd, with_interval
from tailtune.core.measures import MEASURES
from tailtune.core.money import Usd
from tailtune.core.records import Decision
from tailtune.core.reports import DiagnoseReport, Economics, Fault, PromptedRung, RungResult, Verdict
from tailtune.judge.ceiling import fix_labels_first, say_which_are_one
from tailtune.judge.constraints import (
    Targets,
    above,
    doubts,
    fast_enough,
    labels_lacking,
    may_stay,
    meets_with_head_room,
    near_miss,
    needed,
    no_better,
    quality_value,
    rows_to_tell,
    servable,
    shortcomings,
    stays,
    usable_enough,
)
from tailtune.judge.economics import Candidate
from tailtune.judge.evidence import Evidence
from tailtune.judge.guards import below, worst_doubt
from tailtune.judge.net_value import (
    SURE,
    assumed,
    best_value,
    candidates_beside,
    economics,
    optimistic_quality,
    paying_volumes,
    weigh,
)
from tailtune.judge.would_change import at_defaults, would_change

Cause = Literal["rows", "context", "labels", "other"]
"""What an answer of *not yet* waits for."""
PROMPT_FIRST = (
    "prompt first: prompt.models is empty, so no language model was asked; leave the key out for the embedded one, or "
    "declare an endpoint or a folder"
)


@dataclass(frozen=True)
class Outcome:
    """One per verdict."""

    verdict: Verdict
    reason: str
    best: RungResult
    would_change: tuple[str, ...] = ()
    economics: Economics | None = None
    cause: Cause = "other"


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
    change = would_change(
        evidence, targets, outcome.best, lambda other: rule(other, targets, max_train_usd).verdict, evidence.looks
    )
    hangs = at_defaults(inputs, lambda other: rule(replace(evidence, inputs=other), targets, max_train_usd).verdict)
    return replace(outcome, reason=outcome.reason + hangs, would_change=change, economics=dollars)


def just_enough(best: RungResult, targets: Targets) -> Candidate:
    """A fine-tune that is not trained, taken to just reach the target."""
    return assumed(best, targets.quality, f"if it just reaches the target {share(targets.quality)}")


def rule(evidence: Evidence, targets: Targets, max_train_usd: Usd, about: RungResult | None = None) -> Outcome:
    """The table above and nothing else: the verdict, its reason and the best rung.

    Args:
        evidence: What the verdict is made of.
        targets: What the product needs.
        max_train_usd: What a training may cost at most.
        about: The rung that was chosen before; None when one of all is to be chosen.
    """
    able = evidence.rungs if about is None else [about]
    looks = evidence.looks if about is None else 1
    serving = [rung for rung in able if servable(rung, targets)]
    staying = [rung for rung in serving if stays(rung, targets, evidence.line, looks)]
    best = about or _best(evidence, targets, serving, staying)
    untold = _cannot_tell(best, evidence.line, targets)
    if untold:
        return Outcome("not-yet", untold, best)
    worth = _worth_over(best, evidence, targets)
    open_ = [
        rung
        for rung in able
        if may_stay(rung, targets, evidence.line, looks) and _worth_over(rung, evidence, targets) <= 0
    ]
    if staying:
        forbidden = bool(_against(best, evidence, (), True, worth, targets, max_train_usd)[1])
        if worth <= 0 or forbidden:
            return Outcome("stay", _why_stay(best, len(staying), evidence, targets), best)
        pays = f"{_reaches(best, targets)}; {_replaces(best, evidence, worth, targets)}"
        if open_:
            unless = f"{pays}, unless a cheaper rung does; {_cannot_show(open_, evidence, targets)}"
            return Outcome("not-yet", unless, best, cause="rows")
        return Outcome("fine-tune", pays, best)
    return _where_none_stays(best, open_, serving, evidence, targets, max_train_usd, looks)


def _where_none_stays(
    best: RungResult,
    open_: Sequence[RungResult],
    serving: Sequence[RungResult],
    evidence: Evidence,
    targets: Targets,
    max_train_usd: Usd,
    looks: int,
) -> Outcome:
    """Rows 3 to 11."""
    worth = _worth_over(best, evidence, targets)
    cause, against = _against(best, evidence, open_, False, worth, targets, max_train_usd)
    looked_at = evidence.rungs if evidence.split == "dev" else ()
    short = _why_not(best, targets, looks, looked_at) + _near_misses(best, evidence, targets)
    if best in serving and above(best, evidence.line) and (nothing := _nothing_pays(best, serving, evidence, targets)):
        if low := below(best, targets.guards):
            doubt = "" if low in short else f", but {low}"
            return Outcome("not-yet", f"{short}; {nothing}{doubt}: label more such rows to tell", best, cause="rows")
        return Outcome("stay", f"{short}; {nothing}", best)
    if against:
        return Outcome("not-yet", f"{short}; {against}", best, cause=cause)
    spend = "at no declared price" if evidence.estimated_usd is None else f"for about {usd(evidence.estimated_usd)}"
    train = f"{evidence.train_rows:,} good labels can train an adapter {spend}"
    return Outcome("fine-tune", f"{short}; {train}{_too_weak(evidence, targets)}", best)


def may_train(
    outcome: Outcome,
    when: Literal["auto", "always", "never"],
    estimated_usd: Usd | None = None,
    experiment_usd: Usd = 0.0,
) -> Decision:
    """Whether the train stage may spend: the verdict, unless `train.when` overrules it or trying costs hardly anything.

    Args:
        outcome: The verdict.
        when: As declared.
        estimated_usd: What a training is expected to cost; None when no price is declared.
        experiment_usd: Below this a training is run instead of arguing whether labels would do more.
    """
    if when == "always":
        return Decision(yes=True, reason=f"train.when is always (the verdict alone was {outcome.verdict})")
    if when == "never":
        return Decision(yes=False, reason=f"train.when is never (the verdict alone was {outcome.verdict})")
    if outcome.cause == "labels" and estimated_usd is not None and estimated_usd < experiment_usd:
        cost = f"a training costs about {usd(estimated_usd)}, below train.experiment_usd {usd(experiment_usd)}"
        return Decision(yes=True, reason=f"{cost}: it is tried; the verdict alone was {outcome.verdict}")
    return Decision(yes=outcome.verdict == "fine-tune", reason=outcome.reason)


def _best(
    evidence: Evidence, targets: Targets, serving: Sequence[RungResult], staying: Sequence[RungResult]
) -> RungResult:
    if staying:
        return best_value(staying, evidence.inputs) or min(staying, key=lambda rung: worst_doubt(rung, targets.guards))
    able = serving or list(evidence.rungs)
    able = [rung for rung in able if above(rung, evidence.line)] or able
    able = [rung for rung in able if quality_value(rung) >= targets.quality] or able
    best = max(able, key=quality_value)
    # Quality first, dollars within its head-room: a rung that hardly answers is cheap to own where errors are cheap.
    near = [rung for rung in able if 1 - quality_value(rung) <= targets.head_room * (1 - quality_value(best))]
    return best_value(near, evidence.inputs) or best


def _worth_over(rung: RungResult, evidence: Evidence, targets: Targets) -> float:
    """Net value of a fine-tune that just reaches the target, US dollars over the horizon; −infinite when not known."""
    weighed = weigh(rung, assumed(rung, targets.quality, ""), evidence.inputs)
    worth = None if weighed is None else weighed.worth()
    return -math.inf if worth is None else worth.net.value


def _against(
    best: RungResult,
    evidence: Evidence,
    open_: Sequence[RungResult],
    settled: bool,
    worth: float,
    targets: Targets,
    max_train_usd: Usd,
) -> tuple[Cause, str]:
    """What speaks against training now, and its words; empty when nothing does."""
    if evidence.unprompted:
        return "other", PROMPT_FIRST
    if evidence.reading is not None and evidence.reading.mostly_unreadable:
        unread = evidence.reading.lines[0]
        return "other", f"{unread}, and a fine-tune starts from it: an encoder of their language must come first"
    if not settled and (alike := say_which_are_one(best)):
        return "other", alike  # no experiment shows more: the labels are the same two
    if not settled and (wrong := fix_labels_first(evidence.labels, targets.quality)):
        return "labels", wrong  # a rung that stays has shown the target, whatever the ceiling
    if open_:
        return "rows", _cannot_show(open_, evidence, targets)
    if faulty := _fix_first(evidence, targets):
        return "context", faulty
    if evidence.cadence.binding and worth <= 0:
        how_often = f"a change {every(evidence.cadence.days or 0.0)} is declared"
        why = f"{how_often}: so often, a fine-tune must be trained again and again, "
        if worth == -math.inf:
            return "other", f"{why}and what that would be worth is not known (declare value and prices to weigh it)"
        return "other", f"{why}and one that just reaches the target {share(targets.quality)} would lose {usd(-worth)}"
    if lacking := labels_lacking(evidence.train_rows, evidence.curve, targets):
        return "labels", lacking
    if evidence.estimated_usd is not None and evidence.estimated_usd > max_train_usd:
        over = f"over train.max_cost_usd ${max_train_usd:g}"
        return "other", f"training is estimated at {usd(evidence.estimated_usd)}, {over}"
    return "other", ""


def _cannot_show(open_: Sequence[RungResult], evidence: Evidence, targets: Targets) -> str:
    """That rows are too few to tell whether a rung does, and about how many would."""
    rung = max(open_, key=quality_value)
    quality = rung.quality
    if meets_with_head_room(quality, targets, evidence.looks):
        keys = "ladder.latency_rows, prompt.max_rows" if evidence.split == "dev" else "evaluate.latency_rows"
        more = f"time or answer more rows ({keys}) to tell"
        if fast_enough(rung, targets) and usable_enough(rung, targets):
            more = "label more such rows to tell"
        reached = f"{rung.title} reaches {with_interval(quality)}"
        missed = shortcomings(rung, targets) or below(rung, targets.guards)
        return f"{reached}, and {missed}, within its interval: {more}"
    half = (quality.high - quality.low) / 2 * 100
    rows = rows_to_tell(quality, targets, evidence.looks)
    if rows is None:
        enough = "it lies so close to what is needed that hardly any number would: move the target, or take the risk"
    else:
        enough = f"about {rows:,} would, so {_more_rows(rung, evidence)}"
    rows_show = counted(quality.rows, f"{evidence.split} row shows", f"{evidence.split} rows show")
    tells = _or_review(rung, evidence, targets) + enough
    return f"{rows_show} {rung.title} to ± {half:.1f} points and cannot tell: {tells}"


def _or_review(rung: RungResult, evidence: Evidence, targets: Targets) -> str:
    """That a look at the labels that look wrong may tell what many more rows would; empty where it hardly does."""
    labels, quality = evidence.labels, rung.quality
    if labels is None or not labels.suspect_rows or not 0 < labels.ceiling.value < 1:
        return ""
    # A model that is right so often shows as much less as labels are wrong (judge/ceiling.py).
    ends = {end: min(1.0, getattr(quality, end) / labels.ceiling.value) for end in ("value", "low", "high")}
    if not meets_with_head_room(quality.model_copy(update=ends), targets, evidence.looks):
        return ""
    suspects = counted(labels.suspect_rows, f"{labels.split} label that looks", f"{labels.split} labels that look")
    return f"review the {suspects} wrong first (tailtune labels), as with these put right it may show enough; else "


def _more_rows(rung: RungResult, evidence: Evidence) -> str:
    """How a rung comes to be measured on more rows: by asking a model more of those that are there, or by labelling."""
    if evidence.split == "test":
        return "label more test rows"
    there = max(each.quality.rows for each in evidence.rungs)
    if isinstance(rung, PromptedRung) and rung.quality.rows < there:
        return f"ask {rung.model} more of them (prompt.embedded_rows, prompt.max_rows, prompt.max_minutes)"
    return "label more rows (dev takes its share) or raise split.dev_share"


def _fix_first(evidence: Evidence, targets: Targets) -> str:
    """That the best prompt would do if its context, or the labels, were put right; empty where it would not."""
    diagnosis, rung = evidence.diagnosis, _diagnosed(evidence)
    if diagnosis is None or rung is None or not servable(rung, targets):
        return ""
    for fault, words in (("context", "the context"), ("label", "labels")):
        rows = _faults(diagnosis, fault)  # type: ignore[arg-type]
        mostly = rows * 2 > diagnosis.failures
        mended = rung.quality.value + (1 - rung.quality.value) * rows / diagnosis.failures
        if mostly and mended >= needed(targets):
            largest = max((each for each in diagnosis.classes if each.fault == fault), key=lambda each: each.rows)
            blame = f"of {diagnosis.failures:,} failures of {rung.title} {rows:,} are the fault of {words}"
            return f"{blame}, and without them it would do: fix {words} first ({largest.action})"
    return ""


def _too_weak(evidence: Evidence, targets: Targets) -> str:
    """That the context is sound and the model asked is too weak, as the end of a sentence; empty where it is not so."""
    diagnosis, rung = evidence.diagnosis, _diagnosed(evidence)
    if diagnosis is None or rung is None or _faults(diagnosis, "model") * 2 <= diagnosis.failures:
        return ""
    strong = next((each for each in evidence.rungs if isinstance(each, PromptedRung) and each.role == "strong"), None)
    sound = (
        f"; the context is sound and {rung.model} too weak: {diagnosis.strong_model} answers "
        f"{_faults(diagnosis, 'model'):,} of its {diagnosis.failures:,} failures with the same prompt"
    )
    if strong is None:
        return f"{sound}, so measure it as a rung (lm_strong) before you train"
    if missed := shortcomings(strong, targets):
        return f"{sound}, but {missed}: this is a fine-tune of another, smaller model"
    return f"{sound}, but as a rung it reaches {with_interval(strong.quality)}"


def _diagnosed(evidence: Evidence) -> PromptedRung | None:
    """The prompted rung whose failures were diagnosed; None without failures."""
    diagnosis = evidence.diagnosis
    if diagnosis is None or not diagnosis.failures:
        return None
    prompted = (rung for rung in evidence.rungs if isinstance(rung, PromptedRung))
    return next((rung for rung in prompted if rung.name == diagnosis.rung), None)


def _faults(diagnosis: DiagnoseReport, fault: Fault) -> int:
    return sum(each.rows for each in diagnosis.classes if each.fault == fault)


def _near_misses(best: RungResult, evidence: Evidence, targets: Targets) -> str:
    """Other rungs whose quality would do and that one constraint keeps out, as the end of a sentence.

    On test only the rung in question was judged: figures of others are of dev, and have been said.
    """
    if evidence.split == "test":
        return ""
    others = (rung for rung in evidence.rungs if rung is not best)
    missed = (near_miss(rung, targets, evidence.line, evidence.looks) for rung in others)
    return "".join(f"; {each}" for each in missed if each)


def _nothing_pays(best: RungResult, serving: Sequence[RungResult], evidence: Evidence, targets: Targets) -> str:
    """Why even an optimistic fine-tune is surely not worth it, in words; empty when it may be, or is not known."""
    quality = optimistic_quality(best, serving, targets)
    weighed = weigh(best, assumed(best, quality, ""), evidence.inputs)
    worth = None if weighed is None else weighed.worth()
    if weighed is None or worth is None or worth.probability > 1 - SURE:
        return ""
    horizon = counted(weighed.inputs.horizon_months, "month")
    reason = f"nothing pays: even a fine-tune at {share(quality)} would lose {usd(-worth.net.value)} over {horizon}"
    volumes = paying_volumes(weighed)
    return reason + (f"; it would pay {volumes}" if volumes else "")


def _cannot_tell(best: RungResult, line: RungResult | None, targets: Targets) -> str:
    """Why the target's measure does not tell what reads the text, and what to do; empty where it does.

    It does not where the target is reached without reading the text, and nothing measured does better than that.
    """
    if line is None or line.quality.value < targets.quality or above(best, line):
        return ""
    most = math.ceil(line.quality.value * 1000) / 1000
    higher = f"set targets.{targets.metric} above {share(most)}, or " if most < 1 else ""
    return (
        f"{no_better(best, line)} and reaches the target {share(targets.quality)}: {MEASURES[targets.metric].title} "
        f"cannot tell here what reads the text; {higher}label more rows of the rarer answers, then run again"
    )


def line_note(evidence: Evidence, targets: Targets) -> str:
    """That the target is reached without reading the text too, as the end of a sentence; empty when it is not."""
    line = evidence.line
    if line is None or line.quality.value < targets.quality:
        return ""
    return (
        f"; but {line.title}, which ignores the text, reaches the target too ({with_interval(line.quality)}): "
        "look at the weakest answers before you rely on it"
    )


def _why_stay(rung: RungResult, staying: int, evidence: Evidence, targets: Targets) -> str:
    others = f"; of {staying} rungs that do, it costs least to own" if staying > 1 and evidence.inputs else ""
    doubt = f", though {open_}" if (open_ := doubts(rung, targets)) else ""
    return (
        _reaches(rung, targets)
        + (others if best_value([rung], evidence.inputs) else "")
        + doubt
        + line_note(evidence, targets)
    )


def _reaches(rung: RungResult, targets: Targets) -> str:
    return (
        f"{rung.title} reaches {with_interval(rung.quality)}: at or above {share(needed(targets))}, "
        f"the target {share(targets.quality)} with head-room {targets.head_room:g}"
    )


def _replaces(best: RungResult, evidence: Evidence, worth: float, targets: Targets) -> str:
    assert evidence.inputs is not None  # noqa: S101 - there is a net value
    horizon = counted(evidence.inputs.horizon_months, "month")
    return (
        f"but a fine-tune that just reaches the target {share(targets.quality)} would be worth {usd(worth)} more over "
        f"{horizon}, errors counted"
    )


def standing(rung: RungResult, targets: Targets) -> str:
    """What a rung reaches, and how that lies to what is needed."""
    return _reaches(rung, targets) if stays(rung, targets, None) else _why_not(rung, targets)


def _why_not(rung: RungResult, targets: Targets, looks: int = 1, rungs: Sequence[RungResult] = ()) -> str:
    """Why not even the best rung does, in the order in which the table asks.

    Args:
        rung: The best one.
        targets: What the product needs.
        looks: Rungs that were looked at on the same rows.
        rungs: All of them; empty where only this one was judged, on test.
    """
    reached = f"{rung.title} reaches {with_interval(rung.quality)}"
    if rungs and not any(fast_enough(each, targets) for each in rungs):
        return f"no rung meets the latency target p99 {targets.p99_ms:g} ms; {reached} at {rung.latency.p99_range}"
    if not servable(rung, targets):
        return f"{reached}, but {shortcomings(rung, targets)}"
    if rung.quality.value < needed(targets):
        short = short_of(rung.quality.value, needed(targets))
        return f"{reached}, {short} (target {share(targets.quality)} with head-room)"
    if low := below(rung, targets.guards):
        return f"{reached}, but {low}"
    if looks > 1 and rung.quality.low >= targets.quality:
        unsure = f"as one of {looks} rungs looked at it is not sure to reach the target {share(targets.quality)}"
        return f"{reached}, but {unsure}"
    return f"{reached}, but the low end of its interval is short of the target {share(targets.quality)}"
