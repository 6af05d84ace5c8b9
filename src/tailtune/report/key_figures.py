"""The few numbers an owner asks for first."""

from __future__ import annotations

from tailtune.core.records import Estimate
from tailtune.core.reports import PromptedRung
from tailtune.report import numbers
from tailtune.report.measured import OWNERS, phrase
from tailtune.report.numbers import (
    bounds,
    dollars,
    dollars_between,
    duration,
    milliseconds,
    ms,
    percent,
    points,
    share,
    usd,
)
from tailtune.report.story import Story
from tailtune.report.tables import total_usd

Figure = tuple[str, str, str]


def figures(story: Story) -> list[Figure]:
    """Name, value, and what it is held against; what is not there is left out."""
    return [*_quality(story), *_worth(story), *_answer(story), *_work(story)]


def _interval(found: Estimate) -> tuple[str, str]:
    return share(found.value), f"95 % interval {bounds(found)}"


def _quality(story: Story) -> list[Figure]:
    found: list[Figure] = []
    aim = f"target {share(story.decide.target)}" if story.decide else ""
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    best = story.best_rung
    if winner is not None:
        found.append((phrase(winner.metric).figure, share(winner.quality.value), aim))
        owned = [name for name in OWNERS if name in winner.metrics and name != winner.metric]
        found += [(phrase(name).figure, *_interval(winner.metrics[name])) for name in owned]
    elif best is not None:
        way = "best way so far" if isinstance(best, PromptedRung) else "best cheaper way"
        found.append((f"{way}, {phrase(best.metric).short}", share(best.quality.value), aim))
    pair = story.evaluate.comparison if story.evaluate else None
    if pair is not None:
        gap = pair.difference
        prompted = any(rung.name == pair.second and isinstance(rung, PromptedRung) for rung in story.rungs)
        over = "fine-tune over the prompt" if prompted else "fine-tune over cheaper"
        found.append((over, f"{points(gap.value)} points", f"{points(gap.low)} to {points(gap.high)}"))
    return found


def _worth(story: Story) -> list[Figure]:
    economics = story.verdict.economics if story.verdict else None
    net = economics.net_value if economics else None
    if economics is None or net is None or net.value != net.value:
        return []
    what = f"worth of a fine-tune, {numbers.counted(economics.horizon_months, 'month')}"
    return [(what, dollars(net.value), dollars_between(net))]


def _answer(story: Story) -> list[Figure]:
    """Time and price of an answer, of who answers in the end."""
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    who = winner or story.best_rung
    if who is None:
        return []
    found: list[Figure] = []
    if who.latency is not None:
        found.append(
            ("time of one answer", ms(who.latency.p50_ms), f"slowest 1 %: {milliseconds(who.latency.p99_ms)} ms")
        )
    prompts = {rung.name for rung in story.rungs if isinstance(rung, PromptedRung) and not rung.hosted}
    bought = who.name in prompts
    found.append(("1,000 answers cost", usd(who.usd_per_1000), "at list price" if bought else "on this machine"))
    return found


def _work(story: Story) -> list[Figure]:
    found: list[Figure] = []
    curated = story.curate
    if curated is not None:
        kept = percent(curated.rows_kept / curated.rows_read) if curated.rows_read else "n/a"
        found.append(("rows kept", numbers.count(curated.rows_kept), f"{kept} % of those read"))
    if story.bill.lines:
        found.append(("this whole run cost", total_usd(story.bill), duration(story.bill.wall_s)))
    return found
