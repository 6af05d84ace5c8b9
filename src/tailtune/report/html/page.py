"""The decision page: one HTML file that an owner reads without a network, on paper or on a phone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tailtune import __version__
from tailtune.core.reports import CandidateResult, Economics, Report
from tailtune.report import numbers
from tailtune.report.html import charts
from tailtune.report.html.charts.sheet import ticked
from tailtune.report.numbers import (
    Scale,
    bounds,
    capital,
    count,
    counted,
    dollars,
    duration,
    figure,
    inline,
    meaning,
    memory,
    milliseconds,
    ms,
    p_value,
    percent,
    plain,
    points,
    points_with_interval,
    priced,
    sentence,
    share,
    title,
    usd,
    when,
    with_interval,
    words,
)
from tailtune.report.story import (
    FAMILIES,
    Kind,
    Story,
    candidates,
    families,
    time_parts,
    time_sentences,
    timed_candidates,
    undominated,
    worst_first,
)
from tailtune.report.verdict import (
    FINALS,
    SETTLED,
    VERDICTS,
    figures,
    headline,
    over,
    saved,
    side_by_side,
    spent,
    spent_line,
    straights,
    total_usd,
    unneeded,
    value_sentences,
)

FILTERS: Mapping[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        bounds,
        count,
        counted,
        dollars,
        duration,
        figure,
        memory,
        milliseconds,
        ms,
        p_value,
        percent,
        plain,
        points,
        points_with_interval,
        priced,
        sentence,
        share,
        usd,
        when,
        with_interval,
        words,
        capital,
        inline,
        meaning,
        title,
        spent_line,
        ticked,
    )
}
WORST = 10
KINDS: Mapping[Kind, str] = {"local": "runs on your machine", "prompted": "a prompted model", "tuned": "the fine-tune"}


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
            finals=FINALS,
            figures=figures(story),
            classes=worst_first(story.evaluate.per_class) if story.evaluate else (),
            fields=worst_first(story.evaluate.per_field) if story.evaluate else (),
            worst=WORST,
            compared=_compared(story),
            strip=charts.strip,
            share_bar=charts.whisker_strip,
            full=Scale(0.0, 1.0),
            measured=numbers,
            total_usd=total_usd(story.bill),
            program=f"TailTune {__version__}",
            **_measured(story),
            **_bought(story),
            **_roads(story),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tailtune.report.html", "templates"),
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


def _measured(story: Story) -> dict[str, Any]:
    """What the sections on rungs, time and labels show."""
    found, target = candidates(story), story.decide.target if story.decide else None
    best = _marked(story)
    timed = timed_candidates(story)
    placed = charts.drawn(found, target)[0]
    kinds = {way.kind for way in placed}
    aim = [] if target is None else [("aim", f"target {share(target)}")]
    shown_families = {family for way in timed if way.latency for family in families(way.latency)}
    return {
        "ways": found,
        "best": best,
        "tuned": any(way.kind == "tuned" for way in found),
        "kinds": [*((kind, name) for kind, name in KINDS.items() if kind in kinds), *aim],
        "unpriced": [way.title for way in found if placed and way.usd is None],
        "families": [(family, name) for family, name in FAMILIES.items() if family in shown_families],
        "slowness": time_sentences(story),
        "time_rows": [(way.title, time_parts(way.latency)) for way in timed if way.latency],
        "pictures": {
            "whiskers": charts.whiskers([way.scored for way in found], target, best) if found else "",
            "trade_off": charts.trade_off(found, target, best),
            "edge": len(undominated(placed)) > 1,
            "times": charts.times(timed) if any(way.kind == "prompted" for way in timed) else "",
            "curve": charts.curve(story.ladder.curve, target, story.metric) if story.ladder else "",
            "calibration": charts.calibration(story.evaluate.calibration) if story.evaluate else "",
            "break_even": charts.break_even(economics) if (economics := _economics(story)) else "",
        },
    }


def _marked(story: Story) -> str:
    """Who answers in the end: the winner of the test, before it the best rung."""
    if story.evaluate is not None:
        return story.evaluate.winner
    return story.best_rung.name if story.best_rung else ""


def _bought(story: Story) -> dict[str, Any]:
    """What the table of bought answers shows."""
    rungs = story.prompt.rungs if story.prompt else ()
    dropped = [
        (rung.title, f"{counted(rung.examples_dropped, 'example')} left out, so that prompts fit the model")
        for rung in rungs
        if rung.examples_dropped
    ]
    return {
        "settled": SETTLED,
        "saved": saved,
        "spent": spent,
        "unneeded": unneeded,
        "corrected": any(rung.p_adjusted is not None for rung in rungs),
        "early": any(way.stopped_early for way in candidates(story)),
        "rung_notes": [*((rung.title, note) for rung in rungs for note in rung.notes), *dropped],
    }


def _roads(story: Story) -> dict[str, Any]:
    """What the section on money shows."""
    economics = _economics(story)
    lines = straights(economics) if economics else ()
    return {
        "economics": economics,
        "worth": tuple(value_sentences(economics)) if economics else (),
        "cost_rows": side_by_side(economics) if economics else (),
        "over": over,
        "series": [(f"series {name}", road.road.title) for name, road in zip(charts.SERIES, lines, strict=False)],
    }


def _economics(story: Story) -> Economics | None:
    return story.verdict.economics if story.verdict else None
