"""What a new version is worth over the champion in dollars, as far as volume, error cost and prices are declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tailtune.core.records import Answer, Estimate
from tailtune.core.reports import DecideReport, LadderReport, Paired
from tailtune.judge.economics import Candidate, Change
from tailtune.judge.net_value import Drawn, Weighed, paired_gain, price_of, worth
from tailtune.judge.scores import Score
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.evidence import evidence
from tailtune.predictors.base import Predictor
from tailtune.predictors.prompted.costs import price
from tailtune.predictors.prompted.rung import Prompted
from tailtune.tasks import saved
from tailtune.tasks.table import FINE_TUNE


@dataclass(frozen=True)
class Answered:
    """One per version that is compared: its predictor, its answers to the test rows, and their score."""

    kind: str
    predictor: Predictor
    answers: Sequence[Answer]
    score: Score


def net_value(context: Context, ours: Answered, theirs: Answered, comparison: Paired) -> Estimate | None:
    """Net value of the first over the second, US dollars over the horizon; None where something is not known.

    Args:
        context: Of the stage.
        ours: The version at the gate.
        theirs: The champion.
        comparison: Of both.

    Raises:
        MissingInputError: A stage before has not run.
    """
    value = context.case.spec.value
    if value.requests_per_day is None or value.error_usd is None:
        return None
    decided = context.inputs.report(DecideReport)
    seen = decided.surroundings or context.inputs.surroundings
    inputs = evidence(context, decided.estimated_train_usd, seen).inputs
    prices = [_request_usd(each) for each in (ours, theirs)]
    if inputs is None or prices[0] is None or prices[1] is None:
        return None
    first, second = (_candidate(context, each, cost) for each, cost in zip((ours, theirs), prices, strict=True))
    mine, other = price_of(prices[0]), price_of(prices[1])
    saved_usd = Drawn(other.value - mine.value, other.draws - mine.draws, other.rows)
    gain = paired_gain(comparison)
    if (first.hosted, first.change) == (second.hosted, second.change):  # what does not hang on volume is the same
        return worth(value.requests_per_day, inputs.days, 0.0, gain, saved_usd, value.error_usd).net
    found = Weighed(first, second, gain, saved_usd, inputs).worth()
    return None if found is None else found.net


def _candidate(context: Context, answered: Answered, cost: Estimate | None) -> Candidate:
    right = float(answered.score.right.mean())
    return Candidate(
        name=answered.kind,
        title=saved.title(answered.kind),
        hosted=_hosted(answered.predictor),
        change=_change(context, answered),
        wrong=1 - right,
        request_usd=None if cost is None else cost.value,
        quality=answered.score.quality.value,
        basis=f"measured on {answered.score.right.size:,} test rows",
    )


def _change(context: Context, answered: Answered) -> Change:
    if answered.kind == FINE_TUNE:
        return "training"
    fitted = {rung.name: rung.fit_rows for rung in context.inputs.report(LadderReport).rungs}
    return "prompt" if isinstance(answered.predictor, Prompted) or fitted.get(answered.kind) == 0 else "labels"


def _hosted(predictor: Predictor) -> bool:
    """On cores of our own: all but a model behind an endpoint."""
    return not isinstance(predictor, Prompted) or predictor.spec.local


def _request_usd(answered: Answered) -> Estimate | None:
    """Paid to an endpoint for a request; None when not known."""
    if _hosted(answered.predictor):
        return Estimate(value=0, low=0, high=0, rows=len(answered.answers))
    per_1000 = price([answer.usd for answer in answered.answers])
    return None if per_1000 is None else per_1000.per(1000)
