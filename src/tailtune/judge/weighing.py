"""A fine-tune and what it is held against, in dollars: from measured rungs to roads, net value and break-even."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tailtune.config.model import TargetsSpec
from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, Economics, PromptedRung, RungResult, Scored
from tailtune.judge.constraints import needed, quality_value, servable
from tailtune.judge.economy import Option, Setting, fixed_usd, owning_usd, road, unknown
from tailtune.judge.worth import Drawn, Worth, assumed_gain, price_of, worth

FINE_TUNE, FINE_TUNE_TITLE = "lora", "LoRA fine-tune"


@dataclass(frozen=True)
class Weighed:
    """One per fine-tune and other road, where both are known in dollars.

    Attributes:
        tuned: The fine-tune.
        other: What it is held against.
        gain: Share of requests that the fine-tune gets right more.
        saved: What the other costs more for a request, errors aside.
        setting: Volume and prices.
    """

    tuned: Option
    other: Option
    gain: Drawn
    saved: Drawn
    setting: Setting

    def worth(self, per_day: float | None = None, error_usd: float | None = None) -> Worth | None:
        """Net value, or what it would be at another volume or error cost; None when something is not known."""
        value = self.setting.value
        per_day = value.requests_per_day if per_day is None else per_day
        error_usd = value.error_usd if error_usd is None else error_usd
        ours, theirs = fixed_usd(self.tuned, self.setting), fixed_usd(self.other, self.setting)
        if per_day is None or error_usd is None or ours is None or theirs is None:
            return None
        if math.isnan(self.gain.value) or math.isnan(self.saved.value):
            return None
        return worth(per_day, self.setting.days, ours - theirs, self.gain, self.saved, error_usd)


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


def option(rung: RungResult) -> Option:
    """A measured rung as a way to own the task."""
    price = request_price(rung)
    return Option(
        name=rung.name,
        title=rung.title,
        hosted=is_hosted(rung),
        change="prompt" if isinstance(rung, PromptedRung) or rung.fit_rows == 0 else "labels",
        wrong=wrong(rung).value,
        request_usd=None if price is None else price.value,
        quality=rung.quality.value,
        basis=f"measured on {rung.quality.rows:,} dev rows",
    )


def on_test(held: Option, found: CandidateResult, price: Estimate | None) -> Option:
    """The same way with its figures on test.

    Args:
        held: As `option` says.
        found: On test.
        price: Of a request on test, US dollars; None where it was not bought there, and then the earlier one stands.
    """
    basis = f"measured on {found.quality.rows:,} test rows"
    usd = held.request_usd if price is None else price.value
    return replace(held, wrong=wrong(found).value, quality=found.quality.value, request_usd=usd, basis=basis)


def assumed(best: RungResult, quality: float, why: str) -> Option:
    """A fine-tune that is not trained yet, at an assumed quality.

    Whole rows that are wrong shrink as single errors do: in proportion.
    """
    left = 1 - best.quality.value
    return Option(
        name=FINE_TUNE,
        title=FINE_TUNE_TITLE,
        hosted=True,
        change="training",
        wrong=wrong(best).value * (1 - quality) / left if left > 0 else 0.0,
        request_usd=0.0,
        quality=None,
        basis=why,
    )


def optimistic_quality(best: RungResult, others: Sequence[RungResult], targets: TargetsSpec) -> float:
    """The best that a fine-tune is given credit for before it is trained.

    The largest of: the target with head-room, and the upper end of every measured interval. It is a bound to rule
    fine-tunes out with, not a forecast.
    """
    ends = [rung.quality.high for rung in (best, *others) if not math.isnan(rung.quality.high)]
    return min(1.0, max([needed(targets), *ends]))


def weigh(best: RungResult, tuned: Option, setting: Setting | None) -> Weighed | None:
    """An assumed fine-tune against a measured rung; None when no volume is declared or its price is not known."""
    other = option(best)
    price = request_price(best)
    if setting is None or price is None or math.isnan(other.wrong):
        return None
    return Weighed(tuned, other, assumed_gain(wrong(best), tuned.wrong), price_of(price), setting)


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


def best_value(rungs: Sequence[RungResult], setting: Setting | None) -> RungResult | None:
    """The rung with the highest net value, which is the lowest cost of ownership, errors included.

    Returns:
        The first of equals; None when no volume is declared, or the cost of one is not known: then nothing is ranked.
    """
    if setting is None or not rungs:
        return None
    costs = [owning_usd(option(rung), setting) for rung in rungs]
    if any(cost is None or math.isnan(cost) for cost in costs):
        return None
    return min(zip(costs, rungs, strict=True), key=lambda one: one[0] or 0.0)[1]


def roads_beside(best: RungResult, rungs: Sequence[RungResult], targets: TargetsSpec, setting: Setting) -> list[Option]:
    """What a fine-tune is shown beside: the best prompt and the cheapest local rung; the best rung is one of them.

    Of each kind those that can be served, if any; the one of best value, and of best quality where costs are not known.
    """
    found = []
    for prompted in (True, False):
        kind = [rung for rung in rungs if isinstance(rung, PromptedRung) is prompted]
        able = [rung for rung in kind if servable(rung, targets)] or kind
        if best in able:
            found.append(option(best))
        elif able:
            found.append(option(best_value(able, setting) or max(able, key=quality_value)))
    return sorted(found, key=lambda one: one.name != best.name)


def economics(options: Sequence[Option], tuned: Option, weighed: Weighed | None, setting: Setting) -> Economics:
    """All roads, and the fine-tune's net value over the one it is held against, the first.

    Args:
        options: Roads besides the fine-tune, the other one first.
        tuned: The fine-tune.
        weighed: The fine-tune against the first; None when something is not known.
        setting: Volume and prices.
    """
    found = None if weighed is None else weighed.worth()
    roads = [*options, tuned]
    return Economics(
        requests_per_day=setting.value.requests_per_day,
        error_usd=setting.value.error_usd,
        horizon_months=setting.value.horizon_months,
        roads=tuple(road(one, setting) for one in roads),
        net_value=None if found is None else found.net,
        probability=None if found is None else found.probability,
        break_even_per_day=None if found is None else found.break_even,
        unknown=unknown(roads, setting),
    )
