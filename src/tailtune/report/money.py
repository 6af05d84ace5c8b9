"""Both roads in dollars, as the page and the summary tell them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateCost, CostLine, Economics
from tailtune.judge.net_value import FINE_TUNE
from tailtune.report.numbers import counted, dollars, dollars_between, share, volume

DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class CostRow:
    """One per kind of cost: what each road pays for it; None where a road does not have it.

    Attributes:
        what: For people.
        hidden: Whether no invoice shows it, on any road.
        lines: One per road, in order.
    """

    what: str
    hidden: bool
    lines: tuple[CostLine | None, ...]


@dataclass(frozen=True, slots=True)
class Straight:
    """One per road: its total cost over the horizon as a straight line over the volume.

    Attributes:
        fixed_usd: At no request at all.
        slope_usd: More for every request a day.
    """

    road: CandidateCost
    fixed_usd: float
    slope_usd: float

    def at(self, per_day: float) -> float:
        """US dollars over the horizon at a volume."""
        return self.fixed_usd + self.slope_usd * per_day


def side_by_side(economics: Economics) -> tuple[CostRow, ...]:
    """All kinds of cost of all roads, in the order in which roads name them."""
    names = dict.fromkeys(line.what for road in economics.candidates for line in road.lines)
    rows = []
    for what in names:
        lines = tuple(next((line for line in road.lines if line.what == what), None) for road in economics.candidates)
        rows.append(CostRow(what, any(line is not None and line.hidden for line in lines), lines))
    return tuple(rows)


def straights(economics: Economics) -> tuple[Straight, ...]:
    """Roads whose cost at every volume is known.

    The slope is such that the line passes through the road's total at the declared volume, errors included; without a
    declared volume it is the price of a request alone.
    """
    found = []
    for road in economics.candidates:
        if road.one_off_usd is None or road.monthly_usd is None:
            continue
        fixed = road.one_off_usd + road.monthly_usd * economics.horizon_months
        if road.total_usd is not None and economics.requests_per_day:
            found.append(Straight(road, fixed, (road.total_usd - fixed) / economics.requests_per_day))
        elif road.request_usd is not None and not economics.requests_per_day:
            found.append(Straight(road, fixed, road.request_usd * DAYS_A_MONTH * economics.horizon_months))
    return tuple(found)


def over(economics: Economics) -> str:
    """The horizon and the volume: `over 12 months at 6,000 requests a day`."""
    at = economics.requests_per_day
    months = counted(economics.horizon_months, "month")
    return f"over {months}" + ("" if at is None else f" at {volume(at)} requests a day")


def told(economics: Economics) -> Iterator[str]:
    """Net value and break-even volume as sentences; what is not known is not told."""
    net = economics.net_value
    if net is not None and not math.isnan(net.value):
        yield f"{over(economics).capitalize()}, {_worth(net, _untried(economics))}{_sure(economics.probability)}."
    even = economics.break_even_per_day
    if even is None:
        return
    if not math.isfinite(even.value):
        yield "At no volume does the fine-tune cost less."
    elif even.value < 0.5:  # it would be told as 0
        yield "The fine-tune costs less at any volume."
    else:
        ends = f"{volume(max(even.low, 0.0))} to {volume(even.high)}"
        have = "" if economics.requests_per_day is None else f"; you have {volume(economics.requests_per_day)}"
        yield f"From {volume(even.value)} requests a day (95 % interval {ends}) the fine-tune costs less in all{have}."


def _untried(economics: Economics) -> str:
    """What a fine-tune that is not trained is taken to be; empty when it is measured."""
    tuned = next((road for road in economics.candidates if road.name == FINE_TUNE), None)
    return " that just reaches the target" if tuned is not None and tuned.quality is None else ""


def _worth(net: Estimate, untried: str) -> str:
    """The net value in words; a loss and its interval are told as what it costs."""
    if net.high <= 0:
        lost = f"95 % interval {dollars(-net.high)} to {dollars(-net.low)}"
        return f"a fine-tune{untried} costs {dollars(-net.value)} more than going on without one ({lost})"
    between = f"95 % interval {dollars_between(net)}"
    if net.value < 0:
        return f"a fine-tune{untried} costs {dollars(-net.value)} more than going on without one (its worth: {between})"
    tuned = f"a fine-tune{untried}" if untried else "the fine-tune"
    return f"{tuned} is worth {dollars(net.value)} more than going on without it ({between})"


def _sure(probability: float | None) -> str:
    return "" if probability is None else f"; it comes out ahead in {share(probability)} of draws"
