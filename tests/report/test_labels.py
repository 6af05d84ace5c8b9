"""Labels that look wrong, in words: the same figures in terminal, page and MLflow, the rows of test first."""

from __future__ import annotations

import pytest

from tailtune.core.label_noise import LabelNoise, SuspectLabel
from tailtune.core.records import Estimate, Split
from tailtune.core.reports import DecideReport, EvaluateReport, LadderReport, Report
from tailtune.judge.ceiling import REVIEW_FIRST
from tailtune.report.html.page import render
from tailtune.report.labels import labels, worst
from tailtune.report.sections import Section, of_report
from tailtune.report.story import Story
from tailtune.report.verdict import headline

from . import fixtures
from .outline import HOSTILE, Outline

CAP = "the target 95.0 % may lie above what the test labels can show; review these labels first"


def noise(split: Split, suspect: int, rows: int) -> LabelNoise:
    found = [
        SuspectLabel(
            id=f"{split}{number}",
            split=split,
            origin=f"tickets.jsonl:{number}",
            text=HOSTILE,
            label="billing",
            likely_label="refund",
            confidence=0.97,
        )
        for number in range(min(suspect, 3))
    ]
    share = Estimate(value=suspect / rows, low=suspect / rows / 2, high=suspect / rows * 2, rows=rows)
    hours = suspect * 20 / 3600
    return LabelNoise(
        split=split,
        rows=rows,
        suspect_rows=suspect,
        wrong=share,
        worst=tuple(found),
        review_hours=hours,
        review_usd=hours * 36,
    )


@pytest.fixture
def reports() -> dict[str, Report]:
    found = fixtures.whole()
    ladder, evaluated = found["ladder"], found["evaluate"]
    assert isinstance(ladder, LadderReport)
    assert isinstance(evaluated, EvaluateReport)
    two = (noise("dev", 50, 1000), noise("train", 300, 8000))
    return {
        **found,
        "ladder": ladder.model_copy(update={"labels": two}),
        "evaluate": evaluated.model_copy(update={"labels": noise("test", 40, 1000), "ceiling": CAP}),
    }


def section(reports: dict[str, Report]) -> Section:
    found = labels(Story.of(reports))
    assert found is not None
    return found


def test_each_split_has_its_figures_and_the_ceiling_is_that_of_rows_that_measure(reports: dict[str, Report]) -> None:
    texts = {fact.name: fact.text for fact in section(reports).facts}
    assert texts["test"] == (
        "40 of 1,000 labels look wrong; about 4.0 % are (2.0–8.0): a model that is always right would show about "
        "96.0 % (92.0–98.0)"
    )
    assert "a model that is always right" in texts["dev"]
    assert texts["train"] == "300 of 8,000 labels look wrong; about 3.8 % are (1.9–7.5)"
    assert (
        texts["to review"]
        == "90 rows of test and dev, about 30 min 00 s, $18.00 of a person's time at 20 s a row (assumed)"
    )
    assert texts["all rows"].startswith("tailtune labels support-tickets --out FILE.csv writes them")


def test_rows_of_test_come_first_and_train_needs_no_list(reports: dict[str, Report]) -> None:
    assert [label.split for label in worst(Story.of(reports))] == ["test"] * 3 + ["dev"] * 3


def test_the_page_lists_the_rows_and_obeys_none(reports: dict[str, Report]) -> None:
    page = Outline(render(reports))
    assert "Labels that look wrong" in page.text
    assert page.text.count("tickets.jsonl:2") >= 2
    assert "script" not in page.tags


def test_the_headline_names_the_ceiling_where_it_is_near(reports: dict[str, Report]) -> None:
    assert "may lie above what the test labels can show" in headline(Story.of(reports)).why
    decided = reports["decide"]
    assert isinstance(decided, DecideReport)
    early = {**reports, "decide": decided.model_copy(update={"ceiling": "the dev labels cap it"})}
    del early["evaluate"], early["register"]
    assert "The dev labels cap it." in headline(Story.of(early)).why


def test_the_headline_says_once_that_labels_come_first(reports: dict[str, Report]) -> None:
    decided = reports["decide"]
    assert isinstance(decided, DecideReport)
    lies = "the target 98.0 % lies above what the dev labels can show"
    changes = {"verdict": "not-yet", "reason": f"{lies}: fix labels first", "ceiling": lies + REVIEW_FIRST}
    early = {**reports, "decide": decided.model_copy(update=changes)}
    del early["evaluate"], early["register"]
    why = headline(Story.of(early)).why
    assert why.count("above what the dev labels can show") == 1 and "fix labels first" in why


def test_runs_of_mlflow_and_prefect_have_the_ceiling_in_their_notes(reports: dict[str, Report]) -> None:
    assert CAP in of_report(reports["evaluate"]).markdown()


def test_what_was_not_checked_is_said_with_its_reason() -> None:
    found = fixtures.whole()
    assert labels(Story.of(found)) is None  # reports of an earlier version
    ladder = found["ladder"]
    assert isinstance(ladder, LadderReport)
    why = "labels of extraction: no rung gives each value a probability"
    (fact,) = section({**found, "ladder": ladder.model_copy(update={"labels_unchecked": why})}).facts
    assert (fact.name, fact.text) == ("not checked", why)
