"""A line to beat is marked wherever rungs stand side by side, and is nowhere called the best, however right it is."""

from __future__ import annotations

import io

import pytest
from house.tree import ROOT
from report import fixtures
from rich.console import Console

from tailtune.config.paths import Paths
from tailtune.core.reports import EvaluateReport, LadderReport, Report, Scored
from tailtune.report import mlflow, prefect, tables
from tailtune.report.html import charts
from tailtune.report.html.page import render
from tailtune.report.sections import of_report
from tailtune.report.story import Story, candidates, timed_candidates, undominated
from tailtune.report.terminal.summary import Links, summary
from tailtune.tasks.use_case import load_use_case

SPEC = load_use_case(Paths(ROOT), "support-tickets").spec


def _most_right(scored: Scored) -> Scored:
    metrics = {**scored.metrics, "accuracy": fixtures.estimate(0.99, 1085)}
    return scored.model_copy(update={"metrics": metrics}) if scored.ignores_text else scored


def ladder() -> LadderReport:
    """What answers every text alike is right in 99 % of the rows, and no rung is."""
    found = fixtures.ladder()
    return found.model_copy(update={"rungs": tuple(map(_most_right, found.rungs))})


def evaluate() -> EvaluateReport:
    found = fixtures.evaluate_stay()
    return found.model_copy(update={"candidates": tuple(map(_most_right, found.candidates))})


LIVES: dict[str, dict[str, Report]] = {
    "measured": fixtures.reports(fixtures.curate(), fixtures.validate(), ladder()),
    "tested": {**fixtures.stay(), "ladder": ladder(), "evaluate": evaluate()},
}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("life", LIVES)
def test_the_terminal_marks_it(life: str, width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(summary(LIVES[life], Links()))
    text = out.getvalue()
    title = "Majority class" if width >= 100 else "majority"
    marked = [line for line in text.splitlines() if line.startswith("○ ")]
    assert marked and all(line.startswith(f"○ {title[:5]}") for line in marked)
    assert "line to beat  Majority class 99.0 %, whatever the text" in text.replace("\n" + " " * 16, " ")
    assert "▸ maj" not in text.lower() and "▸" in text


@pytest.mark.parametrize("life", LIVES)
def test_the_page_marks_it(life: str) -> None:
    html, tables_with_it = render(LIVES[life]), {"measured": 1, "tested": 2}[life]
    assert html.count('<span class="pill">line to beat</span>') == html.count('<tr class="to-beat">') == tables_with_it
    assert "Majority class, line to beat" in html and "A hollow mark is a line to beat" in html
    assert "<dt>line to beat</dt>" in html


@pytest.mark.parametrize("life", LIVES)
def test_no_chart_takes_it_for_a_choice(life: str) -> None:
    story = Story.of(LIVES[life])
    found = candidates(story)
    assert story.best_name in ("probe", "retrieval")
    assert not any(each.ignores_text for each in (*timed_candidates(story), *undominated(found)))
    picture = charts.trade_off(found, 0.9, story.best_name)
    assert picture is not None
    assert "mark to-beat" in picture.content and "Majority class, line to beat, 99.0 %" in picture.description
    assert "mark to-beat" in charts.whiskers([each.scored for each in found], 0.9, story.best_name).content


@pytest.mark.parametrize("report", [ladder(), evaluate()], ids=["ladder", "evaluate"])
def test_tables_and_runs_mark_it(report: LadderReport | EvaluateReport) -> None:
    run = mlflow.plan(report, SPEC)
    marked = {child.name for child in run.children if child.tags.get("tailtune.line_to_beat") == "true"}
    assert marked == {"Majority class"}
    table = next(iter(tables.of_report(report).values()))
    assert table["line_to_beat"][table["name"].index("majority")] is True
    assert table["line_to_beat"].count(None) == len(table["name"]) - 1
    assert sum(row["line_to_beat"] is True for row in prefect.rows(table)) == 1


def test_the_best_rung_reads_the_text() -> None:
    run = mlflow.plan(ladder(), SPEC)
    assert run.params["best_rung"] == "probe"
    assert "best: **Frozen encoder + linear probe**" in run.note
    assert "line to beat: **Majority class** 99.0 %" in run.note


def test_a_line_alone_is_not_the_best() -> None:
    alone = ladder().model_copy(update={"rungs": ladder().rungs[:1]})
    assert Story(ladder=alone).best_rung is None
    assert "best_rung" not in mlflow.plan(alone, SPEC).params and "best:" not in of_report(alone).markdown()
    assert render(fixtures.reports(fixtures.curate(), fixtures.validate(), alone))
