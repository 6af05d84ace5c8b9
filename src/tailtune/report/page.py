"""The decision page: one HTML file that an owner reads without a network, on paper or on a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tailtune import __version__
from tailtune.core.records import Estimate
from tailtune.core.reports import CandidateResult, Report
from tailtune.report import charts, measured, numbers
from tailtune.report.measured import OWNERS, phrase
from tailtune.report.numbers import bounds, duration, milliseconds, ms, percent, points, share, usd
from tailtune.report.story import Story, worst_first
from tailtune.report.tables import total_usd
from tailtune.report.verdict import VERDICTS, headline

FILTERS: Mapping[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        numbers.bounds,
        numbers.count,
        numbers.counted,
        numbers.duration,
        numbers.memory,
        numbers.milliseconds,
        numbers.ms,
        numbers.p_value,
        numbers.percent,
        numbers.plain,
        numbers.points,
        numbers.points_with_interval,
        numbers.sentence,
        numbers.share,
        numbers.usd,
        numbers.when,
        numbers.with_interval,
        numbers.words,
        measured.capital,
        measured.inline,
        measured.meaning,
        measured.title,
    )
}
WORST = 10


def render(reports: Mapping[str, Report]) -> str:
    """The decision page of a use case, of whatever reports there are.

    Args:
        reports: Stage name → report; any may be missing.

    Returns:
        One self-contained HTML document: no script, and nothing loaded from anywhere.
    """
    story = Story.of(reports)
    return (
        _environment()
        .get_template("decision.html.j2")
        .render(
            story=story,
            head=headline(story),
            verdicts=VERDICTS,
            figures=_figures(story),
            pictures=_pictures(story),
            classes=worst_first(story.evaluate.per_class) if story.evaluate else (),
            fields=worst_first(story.evaluate.per_field) if story.evaluate else (),
            worst=WORST,
            compared=_compared(story),
            strip=charts.strip,
            measured=measured,
            total_usd=total_usd(story.bill),
            program=f"TailTune {__version__}",
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tailtune.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


def _compared(story: Story) -> list[CandidateResult]:
    """Who stands side by side in every measure: both sides of the comparison, or the winner alone."""
    found = story.evaluate
    if found is None:
        return []
    pair = found.comparison
    names = (pair.first, pair.second) if pair else (found.winner,)
    return [one for name in names if (one := story.candidate(name))]


def _pictures(story: Story) -> dict[str, Any]:
    target = story.decide.target if story.decide else None
    best = story.best_rung.name if story.best_rung else ""
    rungs = story.ladder.rungs if story.ladder else ()
    return {
        "whiskers": charts.whiskers(rungs, target, best) if rungs else "",
        "speed": charts.speed(rungs, target, best) if rungs else "",
        "curve": charts.curve(story.ladder.curve, target, story.metric) if story.ladder else "",
        "calibration": charts.calibration(story.evaluate.calibration) if story.evaluate else "",
    }


def _interval(found: Estimate) -> tuple[str, str]:
    return share(found.value), f"95 % interval {bounds(found)}"


def _figures(story: Story) -> list[tuple[str, str, str]]:
    """The few numbers an owner asks for first: name, value, and what it is held against."""
    found: list[tuple[str, str, str]] = []
    target = story.decide.target if story.decide else None
    aim = f"target {share(target)}" if target is not None else ""
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    best = story.best_rung
    if winner is not None:
        found.append((phrase(winner.metric).figure, share(winner.quality.value), aim))
        owned = [name for name in OWNERS if name in winner.metrics and name != winner.metric]
        found += [(phrase(name).figure, *_interval(winner.metrics[name])) for name in owned]
    elif best is not None:
        found.append((f"best cheaper way, {phrase(best.metric).short}", share(best.quality.value), aim))
    pair = story.evaluate.comparison if story.evaluate else None
    if pair is not None:
        gap = pair.difference
        found.append(
            ("fine-tune over cheaper", f"{points(gap.value)} points", f"{points(gap.low)} to {points(gap.high)}")
        )
    latency = (winner.latency if winner else None) or (best.latency if best and not winner else None)
    if latency is not None:
        found.append(("time of one answer", ms(latency.p50_ms), f"slowest 1 %: {milliseconds(latency.p99_ms)} ms"))
    price = winner or best
    if price is not None:
        found.append(("1,000 answers cost", usd(price.usd_per_1000), "on this machine"))
    if story.curate is not None:
        kept = percent(story.curate.rows_kept / story.curate.rows_read) if story.curate.rows_read else "n/a"
        found.append(("rows kept", numbers.count(story.curate.rows_kept), f"{kept} % of those read"))
    if story.bill.lines:
        found.append(("this whole run cost", total_usd(story.bill), duration(story.bill.wall_s)))
    return found
