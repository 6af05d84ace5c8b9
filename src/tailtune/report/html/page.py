"""The decision page: one HTML file that an owner reads without a network, on paper or on a phone."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tailtune import __version__
from tailtune.core.reports import CandidateResult, Report
from tailtune.report import labels as label_words
from tailtune.report import numbers, sections, verdict
from tailtune.report.html import charts
from tailtune.report.html.charts.sheet import STYLE, ticked
from tailtune.report.numbers import Scale
from tailtune.report.prompted import about_embedded, provisional_words
from tailtune.report.story import (
    Candidate,
    Story,
    candidates,
    time_parts,
    time_sentences,
    timed_candidates,
    undominated,
    worst_first,
)

WORST = 10


def render(reports: Mapping[str, Report]) -> str:
    """The decision page of a use case, of whatever reports there are.

    Args:
        reports: Stage name → report; any may be missing.

    Returns:
        One self-contained HTML document: no script, and nothing loaded from anywhere.
    """
    story = Story.of(reports)
    evaluated = story.evaluate
    return (
        environment()
        .get_template("decision.html.j2")
        .render(
            story=story,
            chart_style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704 - our own file
            head=verdict.headline(story),
            provisional=provisional_words(story),
            figures=verdict.figures(story),
            economics=story.verdict.economics if story.verdict else None,
            verdict=verdict,
            measured=numbers,
            words={
                stage.__name__: stage(story)
                for stage in (*sections.OF_STAGE.values(), sections.ownership, label_words.labels)
            },
            suspect_labels=label_words.worst(story),
            classes=worst_first(evaluated.per_class) if evaluated else (),
            fields=worst_first(evaluated.per_field) if evaluated else (),
            worst=WORST,
            compared=_compared(story),
            strip=charts.strip,
            share_bar=charts.whisker_strip,
            full=Scale(0.0, 1.0),
            program=f"TailTune {__version__}",
            **_measured(story),
            **_bought(story),
        )
    )


def environment() -> Environment:
    """Of our pages: everything is escaped, a name that is not there is an error; filters write figures."""
    environment = Environment(
        loader=PackageLoader("tailtune.report.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    environment.filters.update(dict(inspect.getmembers(numbers, inspect.isfunction)))
    environment.filters.update(ticked=ticked, spent_line=verdict.spent_line)
    return environment


def _unbroken(value: Any) -> Any:
    """What is written out, a number and its % sign on one line; markup stays markup."""
    return type(value)(numbers.unbroken(value)) if isinstance(value, str) else value


def _compared(story: Story) -> list[CandidateResult]:
    """Who stands side by side in every measure: both sides of the comparison, or the winner alone."""
    found = story.evaluate
    if found is None:
        return []
    pair = found.comparison
    names = (pair.first, pair.second) if pair else (found.winner,)
    return [scored for name in names if (scored := story.candidate(name))]


def _measured(story: Story) -> dict[str, Any]:
    """What the sections on rungs, time and labels show."""
    found, timed = candidates(story), timed_candidates(story)
    best = story.evaluate.winner if story.evaluate else story.best_name
    placed = charts.drawn(found, story.target)[0]
    return {
        "candidates": found,
        "best": best,
        "unpriced": [candidate.title for candidate in found if placed and candidate.usd is None],
        "slowness": time_sentences(story),
        "time_rows": [(candidate.title, time_parts(candidate.latency)) for candidate in timed if candidate.latency],
        "edge": len(undominated(placed)) > 1,
        "pictures": _pictures(story, found, timed, best),
    }


def _pictures(
    story: Story, found: tuple[Candidate, ...], timed: tuple[Candidate, ...], best: str
) -> dict[str, charts.Picture | None]:
    economics, target = story.verdict.economics if story.verdict else None, story.target
    prompted = any(candidate.kind == "prompted" for candidate in timed)
    return {
        "whiskers": charts.whiskers([candidate.scored for candidate in found], target, best) if found else None,
        "trade_off": charts.trade_off(found, target, best),
        "times": charts.times(timed) if prompted else None,
        "curve": charts.curve(story.ladder.curve, target, story.metric) if story.ladder else None,
        "calibration": charts.calibration(story.evaluate.calibration) if story.evaluate else None,
        "break_even": charts.break_even(economics) if economics else None,
    }


def _bought(story: Story) -> dict[str, Any]:
    """What the table of bought answers shows."""
    rungs = story.prompt.rungs if story.prompt else ()
    return {
        "about_embedded": about_embedded(story.prompt) if story.prompt else "",
        "corrected": any(rung.p_adjusted is not None for rung in rungs),
        "early": any(candidate.stopped_early for candidate in candidates(story)),
        "bought_notes": list(sections.bought_notes(story.prompt)) if story.prompt else [],
    }
