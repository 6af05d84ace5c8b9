"""What a fine-tune is worth over another candidate, and how sure that is: a seeded bootstrap of the measured parts.

Net value over the horizon = requests × (tokens saved + error cost × requests that the fine-tune alone gets right −
those that it alone gets wrong) − what it costs more whatever the volume − what its cores cost more at this volume.
Prices are declared and do not vary; answers and token counts were measured on a sample and do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tailtune.core.figures import requests_a_day, two_digits, volume
from tailtune.core.money import Usd
from tailtune.core.records import Estimate, Serving
from tailtune.core.reports import CandidateResult, Economics, Paired, PromptedRung, RungResult, Scored
from tailtune.judge.capacity import NO_CORES, Saving
from tailtune.judge.constraints import Targets, needed, quality_value, servable
from tailtune.judge.economics import (
    Candidate,
    CostInputs,
    cost_of,
    default_amounts,
    fixed_usd,
    missing_inputs,
    owning_usd,
    serving_of,
)
from tailtune.judge.stats import Z95

Floats = NDArray[np.float64]
DRAWS = 4000
SEED = 17
SURE = 0.95
"""Probability of a positive net value from which money is spent."""
FINE_TUNE, FINE_TUNE_TITLE = "lora", "LoRA fine-tune"


@dataclass(frozen=True)
class Drawn:
    """One per measured figure: its value, and what it could as well have been.

    Attributes:
        value: As measured.
        draws: Bootstrap draws, shape (DRAWS,).
        rows: That it was measured on.
    """

    value: float
    draws: Floats
    rows: int


@dataclass(frozen=True)
class Worth:
    """One per fine-tune and other candidate.

    Attributes:
        net: Net value, US dollars over the horizon, 95 % bootstrap interval.
        probability: Share of draws in which it is above 0.
        break_even: Requests a day from which the fine-tune costs less in all; 0 when from the first, value NaN when
            never, an end NaN where the interval has none.
        until: Requests a day up to which it does; None when it does at any above.
    """

    net: Estimate
    probability: float
    break_even: Estimate
    until: Estimate | None = None


@dataclass(frozen=True)
class Weighed:
    """One per fine-tune and other candidate, where both are known in dollars.

    Attributes:
        tuned: The fine-tune.
        other: What it is compared with.
        gain: Share of requests that the fine-tune gets right more.
        saved: What the other costs more for a request, errors aside.
        inputs: Volume and prices.
    """

    tuned: Candidate
    other: Candidate
    gain: Drawn
    saved: Drawn
    inputs: CostInputs

    def worth(self, per_day: float | None = None, error_usd: Usd | None = None) -> Worth | None:
        """Net value, or what it would be at another volume or error cost; None when something is not known."""
        inputs = self.inputs
        per_day = inputs.requests_per_day if per_day is None else per_day
        error_usd = inputs.error_usd if error_usd is None else error_usd
        ours, theirs = fixed_usd(self.tuned, inputs), fixed_usd(self.other, inputs)
        if per_day is None or error_usd is None or ours is None or theirs is None:
            return None
        if math.isnan(self.gain.value) or math.isnan(self.saved.value):
            return None
        cores = serving_of(self.tuned, inputs), serving_of(self.other, inputs)
        if None in (each.core_usd for each in cores):
            return None
        return worth(per_day, inputs.days, ours - theirs, self.gain, self.saved, error_usd, *cores)


def paired_gain(comparison: Paired) -> Drawn:
    """Share of requests that the fine-tune alone gets right − that the other alone does.

    Drawn from the Dirichlet distribution of the counts, half a row added to each of the four cells of the paired
    table: a Bayesian bootstrap over rows (Rubin 1981), which with no row that differs is not sure of a tie. So small
    a prior keeps coverage near 95 % (as in Agresti and Min 2005). Rows in groups count as the independent rows that
    they are worth.

    Args:
        comparison: Fine-tune (first) against the other (second), by rows answered wholly right.
    """
    rows, first, second = comparison.difference.rows, comparison.only_first_right, comparison.only_second_right
    weight = 1.0 if comparison.worth_rows is None else comparison.worth_rows / rows
    counts = weight * np.array([first, second, rows - first - second]) + np.array([0.5, 0.5, 1.0])
    shares = _random(0).dirichlet(counts, size=DRAWS)
    return Drawn((first - second) / rows, shares[:, 0] - shares[:, 1], rows)


def assumed_gain(other_wrong: Estimate, tuned_wrong: float) -> Drawn:
    """The same for a fine-tune that is not trained: its share of wrong answers is assumed, the other's was measured.

    Args:
        other_wrong: Share of wrong answers of the other, with its 95 % interval.
        tuned_wrong: Assumed of the fine-tune, 0 to 1.
    """
    drawn = np.clip(_around(other_wrong, stream=0), 0, 1)
    return Drawn(other_wrong.value - tuned_wrong, drawn - tuned_wrong, other_wrong.rows)


def price_of(estimate: Estimate) -> Drawn:
    """US dollars for a request, from a mean with its 95 % interval; never below 0."""
    return Drawn(estimate.value, np.maximum(_around(estimate, stream=1), 0), estimate.rows)


def worth(
    per_day: float,
    days: float,
    fixed_usd: Usd,
    gain: Drawn,
    saved_usd: Drawn,
    error_usd: Usd,
    ours: Serving = NO_CORES,
    theirs: Serving = NO_CORES,
) -> Worth:
    """Net value, its probability of being positive, and the volumes between which the fine-tune costs less.

    Args:
        per_day: Requests a day.
        days: Of the horizon.
        fixed_usd: What the fine-tune costs more over the horizon whatever the volume; negative when less.
        gain: Share of requests that it gets right more than the other.
        saved_usd: What the other costs more for a request, errors and cores aside.
        error_usd: What a wrong answer costs.
        ours: Cores that serve the fine-tune; their price is known.
        theirs: Cores that serve the other.
    """
    each, drawn = saved_usd.value + error_usd * gain.value, saved_usd.draws + error_usd * gain.draws
    more = fixed_usd + (ours.usd(per_day) or 0.0) - (theirs.usd(per_day) or 0.0)
    net = per_day * days * drawn - more
    value = per_day * days * each - more
    low, high = (float(q) for q in np.quantile(net, [0.025, 0.975]))
    least, most = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    shown = Saving(days * each, fixed_usd, ours, theirs).cheaper(per_day)
    near = per_day if shown is None else min(max(per_day, shown[0]), shown[1])
    good, bad = (Saving(days * end, fixed_usd, ours, theirs).cheaper(near) for end in (most, least))
    start = Estimate(value=_end(shown, 0), low=_end(good, 0), high=_end(bad, 0), rows=gain.rows)
    ends = shown is not None and math.isfinite(shown[1])
    return Worth(
        net=Estimate(value=value, low=min(low, value), high=max(high, value), rows=gain.rows),
        probability=float((net > 0).mean()),
        break_even=start,
        until=Estimate(value=_end(shown, 1), low=_end(bad, 1), high=_end(good, 1), rows=gain.rows) if ends else None,
    )


def _end(volumes: tuple[float, float] | None, place: int) -> float:
    """One end of a range of volumes; NaN where there is no range."""
    return math.nan if volumes is None else volumes[place]


def _around(estimate: Estimate, stream: int) -> Floats:
    """Normal draws on both sides of a value, each side as wide as the interval says."""
    normal = _random(stream).standard_normal(DRAWS)
    wide = np.where(normal > 0, estimate.high - estimate.value, estimate.value - estimate.low) / Z95
    drawn: Floats = estimate.value + normal * wide
    return drawn


def _random(stream: int) -> np.random.Generator:
    """Answers and prices vary independently: each has a stream of its own."""
    return np.random.default_rng([SEED, stream])


def row_right(scored: Scored) -> Estimate:
    """Share of rows answered wholly right: what a person gets who asks once."""
    return scored.metrics.get("exact_match", scored.quality)


def wrong(scored: Scored) -> Estimate:
    """Share of rows not answered wholly right."""
    right = row_right(scored)
    return Estimate(value=1 - right.value, low=1 - right.high, high=1 - right.low, rows=right.rows)


def is_hosted(rung: RungResult) -> bool:
    """Whether a rung runs on cores of our own: local ones, and language models in a folder.

    An endpoint does not, though it may cost nothing.
    """
    return not isinstance(rung, PromptedRung) or rung.hosted


def measured(rung: RungResult) -> Candidate:
    """A rung as a candidate, with its figures on dev."""
    price = request_price(rung)
    return Candidate(
        name=rung.name,
        title=rung.title,
        hosted=is_hosted(rung),
        change="prompt" if isinstance(rung, PromptedRung) or rung.fit_rows == 0 else "labels",
        wrong=wrong(rung).value,
        request_usd=None if price is None else price.value,
        quality=rung.quality.value,
        basis=f"measured on {rung.quality.rows:,} dev rows",
        busy_ms=rung.latency.mean_ms,
    )


def on_test(candidate: Candidate, result: CandidateResult, price: Estimate | None) -> Candidate:
    """The same candidate with its figures on test.

    Args:
        candidate: With its figures on dev.
        result: On test.
        price: Of a request on test, US dollars; None where it was not bought there, and then the earlier one stands.
    """
    basis = f"measured on {result.quality.rows:,} test rows"
    usd = candidate.request_usd if price is None else price.value
    busy_ms = candidate.busy_ms if result.latency is None else result.latency.mean_ms
    known = replace(candidate, wrong=wrong(result).value, quality=result.quality.value, request_usd=usd, basis=basis)
    return replace(known, busy_ms=busy_ms)


def assumed(best: RungResult, quality: float, why: str) -> Candidate:
    """A fine-tune that is not trained yet, at an assumed quality.

    Whole rows that are wrong become more or fewer as single errors do: in proportion, and never more than all rows.
    Beside a rung without an error there is no proportion: then as many rows are wrong as the assumed quality leaves.
    """
    left = 1 - best.quality.value
    times = wrong(best).value / left if left > 0 else 1.0
    return Candidate(
        name=FINE_TUNE,
        title=FINE_TUNE_TITLE,
        hosted=True,
        change="training",
        wrong=min(1.0, times * (1 - quality)),
        request_usd=0.0,
        quality=None,
        basis=why,
    )


def optimistic_quality(best: RungResult, others: Sequence[RungResult], targets: Targets) -> float:
    """The best that a fine-tune is given credit for before it is trained.

    The largest of: the target with head-room, and the upper end of every measured interval. It is a bound to rule
    fine-tunes out with, not a forecast.
    """
    ends = [rung.quality.high for rung in (best, *others) if not math.isnan(rung.quality.high)]
    return min(1.0, max([needed(targets), *ends]))


def weigh(best: RungResult, tuned: Candidate, inputs: CostInputs | None) -> Weighed | None:
    """An assumed fine-tune against a measured rung; None when no volume is declared or its price is not known."""
    other = measured(best)
    price = request_price(best)
    if inputs is None or price is None or math.isnan(other.wrong):
        return None
    return Weighed(tuned, other, assumed_gain(wrong(best), tuned.wrong), price_of(price), inputs)


def paying_volumes(weighed: Weighed) -> str:
    """At which volumes the fine-tune's net value is above 0, at two digits: `from 5,900 requests a day`, or empty."""
    worth = weighed.worth()
    if worth is None or math.isnan(worth.break_even.value):
        return ""
    start, end = worth.break_even.value, math.inf if worth.until is None else worth.until.value
    least, most = two_digits(start, math.ceil, least=1.0), end
    if worth.until is not None:
        most = two_digits(end, math.floor, least=1.0)
    if least > most or most == 0:
        return f"between {volume(start)} and {requests_a_day(end)}"  # so narrow that two digits would pass over it
    if worth.until is None:
        return f"from {requests_a_day(least)}"
    return f"between {volume(least)} and {requests_a_day(most)}" if least else f"below {requests_a_day(most)}"


def request_price(rung: RungResult) -> Estimate | None:
    """US dollars paid to an endpoint for a request, with the interval that token counts have; None when not known.

    On cores of our own a request costs nothing more: they are paid for day and night.
    """
    if is_hosted(rung) or not isinstance(rung, PromptedRung):
        return Estimate(value=0, low=0, high=0, rows=rung.quality.rows)
    if rung.usd_per_1000 is None:
        return None
    value = rung.usd_per_1000 / 1000
    low = value if rung.usd_low is None else rung.usd_low / 1000
    high = value if rung.usd_high is None else rung.usd_high / 1000
    return Estimate(value=value, low=low, high=high, rows=rung.quality.rows)


def best_value(rungs: Sequence[RungResult], inputs: CostInputs | None) -> RungResult | None:
    """The rung with the highest net value, which is the lowest cost of ownership, errors included.

    Returns:
        The first of equals; None when no volume is declared, or the cost of one is not known: then nothing is ranked.
    """
    if inputs is None or not rungs:
        return None
    costs = [owning_usd(measured(rung), inputs) for rung in rungs]
    if any(cost is None or math.isnan(cost) for cost in costs):
        return None
    return min(zip(costs, rungs, strict=True), key=lambda pair: pair[0] or 0.0)[1]


def candidates_beside(
    best: RungResult, rungs: Sequence[RungResult], targets: Targets, inputs: CostInputs
) -> list[Candidate]:
    """What a fine-tune is shown beside: the best prompt and the cheapest local rung; the best rung is among them.

    Of each kind those that can be served, if any; the one of best value, and of best quality where costs are not known.
    """
    beside = []
    for prompted in (True, False):
        kind = [rung for rung in rungs if isinstance(rung, PromptedRung) is prompted]
        able = [rung for rung in kind if servable(rung, targets)] or kind
        if best in able:
            beside.append(measured(best))
        elif able:
            beside.append(measured(best_value(able, inputs) or max(able, key=quality_value)))
    return sorted(beside, key=lambda candidate: candidate.name != best.name)


def economics(beside: Sequence[Candidate], tuned: Candidate, weighed: Weighed | None, inputs: CostInputs) -> Economics:
    """All candidates, and the fine-tune's net value over the one it is compared with, the first.

    Args:
        beside: Candidates besides the fine-tune, the one it is compared with first.
        tuned: The fine-tune.
        weighed: The fine-tune against the first; None when something is not known.
        inputs: Volume and prices.
    """
    value = None if weighed is None else weighed.worth()
    candidates = [*beside, tuned]
    return Economics(
        requests_per_day=inputs.requests_per_day,
        error_usd=inputs.error_usd,
        horizon_months=inputs.horizon_months,
        candidates=tuple(cost_of(candidate, inputs) for candidate in candidates),
        net_value=None if value is None else value.net,
        probability=None if value is None else value.probability,
        break_even_per_day=None if value is None else value.break_even,
        cheaper_until_per_day=None if value is None else value.until,
        unknown=missing_inputs(candidates, inputs),
        defaults=default_amounts(inputs),
    )
