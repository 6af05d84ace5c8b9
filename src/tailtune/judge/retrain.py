"""Whether a retrain is worth it: what the fall of accuracy costs until the next chance, against what a retrain costs.

    loss = (accuracy at registration − accuracy now) × requests a day × dollars an error × days until the next chance

Limits: a retrain is credited with winning all of the fall back and nothing beyond, so what new labels add where nothing
fell is not in it; nor are labels, which are paid for already, whether or not they are used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tailtune.core.figures import counted, days, points_with_interval, usd
from tailtune.core.ledger import Bill, Category
from tailtune.core.money import Usd, known_product, known_sum
from tailtune.core.records import Estimate
from tailtune.core.reports import CostLine
from tailtune.core.retrains import Because, Reckoning, RetrainDecision

_OF_A_LIFE: tuple[Category, ...] = ("curation", "evaluation", "training")
_AUDIT = "an audit shows more: tailtune audit"


@dataclass(frozen=True)
class AtStake:
    """One per use case: what a wrong answer costs, how often one is given, and what a retrain takes.

    Attributes:
        then: Accuracy at registration; None where it is not known.
        now: Accuracy now, by an audit, else estimated without labels; None where neither is there.
        now_by: Which of them, or why there is none.
        requests_per_day: None when neither declared nor logged.
        requests_from: Which of them.
        error_usd: What a wrong answer costs; None when not declared.
        days: Until the next chance to retrain.
        costs: Of a retrain.
    """

    then: Estimate | None
    now: Estimate | None
    now_by: str
    requests_per_day: float | None
    requests_from: str
    error_usd: Usd | None
    days: float
    costs: tuple[CostLine, ...]


@dataclass(frozen=True)
class Circumstances:
    """One per way in: what else decides.

    Attributes:
        new_labels: To learn from, that people gave since the last version; audited rows are test rows and none.
        min_new_labels: From which on they start a retrain.
        drift_labels: Of these, those of the time of drift, which wants as many; None where that time is not known.
        audited: Rows that were audited since the last version.
        changes: What else differs from what the last version was made of, as words.
        days_since_last: Days since a retrain ended, below 0 where a clock was ahead then; None when there was none.
        cooldown_days: So long none starts by itself.
    """

    new_labels: int
    min_new_labels: int
    drift_labels: int | None = None
    audited: int = 0
    changes: tuple[str, ...] = ()
    days_since_last: float | None = None
    cooldown_days: float = 0.0


def fall_of(then: Estimate, now: Estimate) -> Estimate:
    """How far accuracy fell, with its interval: of two independent figures, by their own intervals (Newcombe 1998).

    Limit: an estimate without labels counts the reference's uncertainty once more, so that interval is a little wide.
    """
    value = then.value - now.value
    down = math.hypot(then.value - then.low, now.high - now.value)
    up = math.hypot(then.high - then.value, now.value - now.low)
    return Estimate(value=value, low=value - down, high=value + up, rows=min(then.rows, now.rows))


def costs_of(bills: Sequence[Bill], hours: float, person_hour_usd: Usd | None, basis: str) -> tuple[CostLine, ...]:
    """What a retrain costs: machine and bought answers as earlier versions took them, and a person's hours.

    Args:
        bills: Of the versions there are; that for the next one is left out.
        hours: A person's, declared for a retraining.
        person_hour_usd: Price of such an hour; None when not declared.
        basis: How hours and price are declared, for people.
    """
    spent = [[bill.lines[kind].usd for kind in _OF_A_LIFE if kind in bill.lines] for bill in bills if bill.version]
    sums = [known_sum(lines) for lines in spent if lines]
    known = [each for each in sums if each is not None]
    life = CostLine(
        what="machine and bought answers",
        usd=median(known) if known else None,
        basis=f"median of {counted(len(known), 'version')} in the ledger" if known else "no version's cost is known",
    )
    person = 0.0 if not hours else known_product(hours, person_hour_usd)
    return (life, CostLine(what="a person's time", usd=person, basis=basis, hidden=True))


def reckon(stake: AtStake) -> Reckoning:
    """The loss until the next chance and the cost of a retrain; what is missing is named and nothing is guessed."""
    then, now = _measured(stake.then), _measured(stake.now)
    fall = None if then is None or now is None else fall_of(then, now)
    factor = known_product(stake.requests_per_day, stake.error_usd, stake.days)
    loss = None
    if fall is not None and factor is not None:
        loss = fall.model_copy(update={end: getattr(fall, end) * factor for end in ("value", "low", "high")})
    missing = {
        "value.error_usd, what a wrong answer costs": stake.error_usd is None,
        "value.requests_per_day, and no whole day of logged requests to count": stake.requests_per_day is None,
        "accuracy at registration": then is None,
        "accuracy now": now is None,
        **{f"what {line.what} costs": line.usd is None for line in stake.costs},
    }
    return Reckoning(
        then=then,
        now=now,
        now_by=stake.now_by,
        fall=fall,
        requests_per_day=stake.requests_per_day,
        requests_from=stake.requests_from,
        error_usd=stake.error_usd,
        days=stake.days,
        loss=loss,
        costs=stake.costs,
        cost_usd=known_sum(line.usd for line in stake.costs),
        missing=tuple(name for name, is_missing in missing.items() if is_missing),
    )


def _measured(accuracy: Estimate | None) -> Estimate | None:
    """None where nothing was measured: a figure that is not one must not decide."""
    return None if accuracy is None or math.isnan(accuracy.value) else accuracy


def decide(because: Because, reckoning: Reckoning, around: Circumstances) -> RetrainDecision:
    """Whether to retrain, by the way in.

    By hand it always starts. Else: not within the cool-down, not when nothing is new, not on too few labels where these
    are the reason, and not when the reckoning speaks against it. Drift waits for labels of its own time: without them a
    retrain learns nothing of what moved, and its cool-down holds up the one that would. Where nothing can be reckoned,
    the schedule and new labels start it, and drift does not: drift alone says neither what it costs nor that a retrain
    helps.
    """
    worth_it, why = _worth(because, reckoning)
    if because == "hand":
        refusal = ""
    else:
        refusal = _too_early(around) or _nothing_new(because, around)
        refusal = refusal or (why if worth_it is False or (worth_it is None and because == "drift") else "")
    reason = refusal or (f"by hand; {why}" if because == "hand" else f"{_way_in(because, around)}; {why}")
    return RetrainDecision(
        because=because,
        go=not refusal,
        reason=reason,
        worth_it=worth_it,
        new_labels=around.new_labels,
        reckoning=reckoning,
    )


def _worth(because: Because, reckoning: Reckoning) -> tuple[bool | None, str]:
    """Whether the loss exceeds the cost, with the reason; None where it cannot be reckoned.

    A schedule looks every week, and chance alone would often show a fall: there the interval must lie above 0. That
    something moved is shown already where drift is the reason.
    """
    loss, cost, fall = reckoning.loss, reckoning.cost_usd, reckoning.fall
    if reckoning.missing or loss is None or cost is None or fall is None:
        return None, f"not reckoned, as this is not known: {'; '.join(reckoning.missing)}"
    size = f"then − now: {points_with_interval(fall)}"
    until = f"until the next chance in {days(reckoning.days)}"
    if fall.value <= 0:
        return False, f"accuracy has not fallen ({size}), so a retrain wins nothing back"
    if because != "drift" and fall.low <= 0:
        return False, f"that accuracy fell is not shown ({size}); {_AUDIT}"
    if loss.value <= cost:
        return False, f"errors cost {usd(loss.value)} more {until}, a retrain costs {usd(cost)}"
    return True, f"errors cost {usd(loss.value)} more {until}, a retrain {usd(cost)}"


def _too_early(around: Circumstances) -> str:
    last = None if around.days_since_last is None else abs(around.days_since_last)  # no clock makes it last for ever
    if last is None or last >= around.cooldown_days:
        return ""
    return f"the last retrain ended {last:.1f} days ago, and none starts by itself within {around.cooldown_days:g}"


def _nothing_new(because: Because, around: Circumstances) -> str:
    if because == "labels" and around.new_labels < around.min_new_labels:
        return f"{counted(around.new_labels, 'new label')}, and {around.min_new_labels:,} start a retrain"
    if not around.new_labels and not around.changes:
        tests = f" ({counted(around.audited, 'audited row')} are test rows)" if around.audited else ""
        return (
            f"nothing is new since the last version: no label to learn from{tests}, no row, no declaration; a retrain "
            "would make the same"
        )
    if because == "drift" and not around.changes:
        return _too_few_of_drift(around)
    return ""


def _too_few_of_drift(around: Circumstances) -> str:
    labels = around.new_labels if around.drift_labels is None else around.drift_labels
    if labels >= around.min_new_labels:
        return ""
    return (
        f"{counted(labels, 'new label is', 'new labels are')} of the time of the drift, and "
        f"{around.min_new_labels:,} start a retrain: with fewer it learns little of what moved; people label more by "
        "`tailtune labels USE-CASE --propose` or `tailtune feedback`"
    )


def _way_in(because: Because, around: Circumstances) -> str:
    new = ", ".join([*([counted(around.new_labels, "new label")] if around.new_labels else []), *around.changes])
    return f"{'drift' if because == 'drift' else f'by {because}'}, with {new}"
