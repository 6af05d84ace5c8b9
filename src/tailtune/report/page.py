"""The decision page: one HTML file that an owner reads without a network, on paper or on a phone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tailtune import __version__
from tailtune.core.reports import ClassResult, Report
from tailtune.report import charts, numbers
from tailtune.report.numbers import duration, milliseconds, ms, percent, points, share, usd
from tailtune.report.story import Story
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
            classes=sorted(story.evaluate.per_class, key=_worst_first) if story.evaluate else [],
            worst=WORST,
            strip=charts.strip,
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


def _worst_first(found: ClassResult) -> tuple[float, str]:
    return (-1.0 if math.isnan(found.f1) else found.f1, found.label)


def _pictures(story: Story) -> dict[str, Any]:
    target = story.decide.target_accuracy if story.decide else None
    best = story.best_rung.name if story.best_rung else ""
    rungs = story.ladder.rungs if story.ladder else ()
    return {
        "whiskers": charts.whiskers(rungs, target, best) if rungs else "",
        "speed": charts.speed(rungs, target, best) if rungs else "",
        "curve": charts.curve(story.ladder.curve, target) if story.ladder else "",
        "calibration": charts.calibration(story.evaluate.calibration) if story.evaluate else "",
    }


def _figures(story: Story) -> list[tuple[str, str, str]]:
    """The few numbers an owner asks for first: name, value, and what it is held against."""
    found: list[tuple[str, str, str]] = []
    target = story.decide.target_accuracy if story.decide else None
    aim = f"target {share(target)}" if target is not None else ""
    winner = story.candidate(story.evaluate.winner) if story.evaluate else None
    best = story.best_rung
    if winner is not None:
        found.append(("answered right", share(winner.accuracy.value), aim))
    elif best is not None:
        found.append(("best cheaper way, right", share(best.accuracy.value), aim))
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
