"""The decision page: one file, well formed, nothing fetched, nothing obeyed that a label says, nothing made up."""

from __future__ import annotations

import math
import re

import pytest

from tailtune.core.records import Estimate
from tailtune.core.reports import ClassResult, Confusion, FinalVerdict, Report, Surroundings
from tailtune.report.html.page import render
from tailtune.report.numbers import with_interval

from .. import claims, fixtures
from ..outline import HOSTILE, Outline


@pytest.mark.parametrize(
    "reports",
    [
        *fixtures.parts(),
        fixtures.stay(),
        fixtures.stopped(),
        {**fixtures.whole(), "evaluate": fixtures.evaluate_lost()},
        *claims.parts(),
        claims.stay(),
        {**claims.whole(), "evaluate": claims.evaluate_lost()},
    ],
)
def test_every_page_is_balanced_and_needs_no_network(reports: dict[str, Report]) -> None:
    html = render(reports)
    page = Outline(html)
    assert html.startswith("<!doctype html>")
    assert page.tags.count("h1") == 1
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    leading = [value for _, name, value in page.attributes if name in ("src", "href") or name.startswith("on")]
    assert leading == [], "the page is also opened where no other file of the project is"


def test_the_verdict_stands_before_everything_else() -> None:
    page = Outline(render(fixtures.whole()))
    assert page.text.index("Use the fine-tune") < page.text.index("Why: the decision") < page.text.index("The bill")
    for text in (
        "provisional",
        "answers 94.3 % right, 3.3 points more than the best cheaper way",
        "Can more context solve it?",
        "not measured Can more context solve it?",
        "not measured How often must behaviour change?",
        "+3.3 points (+2.1 to +4.5)",
        "A prompted language model at 96.7 % or more",
        "billing: refund",
        "9f2c51e07ab34d18",
        "support-tickets version 3",
        "Prompted language model: no endpoint is configured.",
        "12,000 read → 10,873 kept",
        "TailTune 0.",
    ):
        assert text in page.text, text


def test_every_rung_and_every_label_is_on_the_page() -> None:
    text = Outline(render(fixtures.whole())).text
    assert fixtures.SCORES
    for name, (title, *_) in fixtures.SCORES.items():
        assert name in text
        assert title in text
    for label in fixtures.LABELS:
        assert label in text


def test_an_extraction_is_told_in_its_own_measures() -> None:
    text = Outline(render(claims.whole())).text
    for phrase in (
        "reaches a field F1 of 97.4 %, 10.2 points more than the best cheaper way",
        "field F1 97.4 % target 97.0 %",
        "answered wholly right 63.4 % 95 % interval 61.0–65.8",
        "valid against the schema 100.0 % 95 % interval 99.7–100.0",
        "Micro F1 over all field values",
        "Field F1 against cost: up is better",
        "Field F1 of frozen encoder + linear token head by number of train rows",
        "dev field F1",
        "+10.2 points (+9.7 to +10.7) of field F1, p < 0.0001",
        "wholly right alone: LoRA fine-tune 832, Frozen encoder + linear token head 12",
        "whole object Share of rows in which every field is right 63.4 % (61.0–65.8) 9.2 % (7.7–10.7)",
        "schema-valid Share of rows whose answer is valid against the schema 100.0 % (99.7–100.0)",
        "Fields of one kind: the value of the one was given for the other.",
        "estimated_damage claimed_amount 31",
        "553 test rows in all not wholly right.",
        "45 fields",
        "estimated_damage 214",
        "odometer_reading 2",
    ):
        assert phrase in text, phrase
    assert "answered right" not in text
    assert "ccuracy of" not in text


def test_what_a_story_does_not_hold_has_no_place_on_its_page() -> None:
    labels, fields = Outline(render(fixtures.whole())).text, Outline(render(claims.whole())).text
    assert "Label by label" in labels and "Label by label" not in fields
    assert "Field by field" in fields and "Field by field" not in labels
    for only in ("In every measure", "Values that their text does not say", "wholly right", "Fields of one kind"):
        assert only in fields and only not in labels, only


def test_every_field_has_its_kind_its_numbers_and_an_interval() -> None:
    rows = re.findall(r'<tr><th scope="row" class="field">(.*?)</tr>', render(claims.whole()), re.S)
    lines = [" ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", row).split()) for row in rows]
    found = sorted(claims.per_field(), key=lambda one: one.f1)
    assert len(lines) == len(found) == 45
    for line, one in zip(lines, found, strict=True):
        figures = f"{one.precision:.2f} {one.recall:.2f} {one.f1:.2f} {one.f1_other:.2f}"
        exact, rest = with_interval(one.exact), f"{one.format_correct:.2f} {one.value_correct:.2f}"
        assert line == f"{one.label} {one.kind} {one.rows:,} {figures} {exact} {rest}"


def test_a_share_of_few_values_is_not_shown_as_none() -> None:
    html = render(claims.whole())
    assert re.search(r"odometer_reading</th><td[^>]*>2</td><td[^>]*>&lt;0\.1\s%</td>", html)
    assert '>towed</th><td class="n">0<' not in html


def test_labels_stand_worst_first_and_unmeasured_ones_last() -> None:
    unmeasured = ClassResult(label="zz", rows=0, precision=math.nan, recall=math.nan, f1=math.nan, f1_other=math.nan)
    found = fixtures.evaluate()
    shuffled = (found.per_class[20], unmeasured, *found.per_class[:20])
    text = Outline(render({**fixtures.whole(), "evaluate": found.model_copy(update={"per_class": shuffled})})).text
    table = text[text.index("Label by label") :]
    assert table.index(found.per_class[0].label) < table.index(found.per_class[19].label) < table.index("zz")


def test_pictures_have_names_and_descriptions() -> None:
    page = Outline(render(fixtures.whole()))
    named = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert named == [
        "Accuracy against the cost of 1,000 answers",
        "Accuracy of every rung with its 95 % interval",
        "Accuracy by number of train rows",
        "How often right, by how sure",
    ]
    fields = Outline(render(claims.whole())).attributes
    assert [value for tag, name, value in fields if tag == "svg" and name == "aria-label"] == [
        "Field F1 against the cost of 1,000 answers",
        "Field F1 of every rung with its 95 % interval",
        "Field F1 by number of train rows",
        "How often right, by how sure",
    ]
    hidden = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-hidden"]
    assert len(named) + len(hidden) == page.tags.count("svg")
    assert "Retrieval, nearest labelled rows 90.4 % (88.6–92.2)" in page.text


def test_a_better_rung_lies_further_right() -> None:
    from tailtune.report.html.charts import whiskers

    rungs = fixtures.ladder().rungs
    marks = re.findall(r'<circle cx="([\d.]+)"', str(whiskers(rungs, 0.95, "probe")))
    near = [rung.quality.value for rung in rungs if rung.quality.value > 0.5]
    assert len(marks) == len(near)
    places = [float(mark) for mark in marks]
    assert sorted(range(len(near)), key=near.__getitem__) == sorted(range(len(near)), key=places.__getitem__)


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    ladder, found = fixtures.ladder(), fixtures.evaluate()
    rung = ladder.rungs[1].model_copy(update={"title": HOSTILE})
    confusion = Confusion(expected=HOSTILE, answered="<b>", rows=3)
    per_class = (found.per_class[0].model_copy(update={"label": HOSTILE}), *found.per_class[1:])
    failed = fixtures.validate_failed()
    closed = failed.expectations[-1].model_copy(update={"observed": HOSTILE, "bad_origins": (HOSTILE,)})
    text = fixtures.whole() | fixtures.reports(
        ladder.model_copy(update={"rungs": (rung, *ladder.rungs[2:])}),
        found.model_copy(update={"confusions": (confusion,), "per_class": per_class}),
        fixtures.decide().model_copy(update={"reason": HOSTILE}),
    )
    stopped = fixtures.reports(fixtures.curate(), failed.model_copy(update={"expectations": (closed,)}))
    field = claims.per_field()[0].model_copy(update={"label": HOSTILE, "kind": "<b>"})
    fielded = claims.whole() | fixtures.reports(
        claims.evaluate().model_copy(update={"per_field": (field,)}),
        claims.curate().model_copy(update={"unaligned": {HOSTILE: 3}}),
    )
    for reports in (text, stopped, fielded):
        html = render(reports)
        page = Outline(html)
        assert "script" not in page.tags
        assert not [a for a in page.attributes if a[1] == "onload"]
        assert "&lt;script&gt;" in html
        assert "alert('x')" in page.text


def test_the_page_says_as_of_when_it_is_true() -> None:
    decided = fixtures.decide()
    assert "is as of" not in Outline(render(fixtures.whole())).text, "an old report does not say"
    seen = decided.model_copy(update={"surroundings": Surroundings(seen_days=12.0)})
    text = "How often behaviour changes, and how much is kept, is as of 2026-11-23 17:34 UTC"
    assert f"{text}." in Outline(render(fixtures.whole() | fixtures.reports(seen))).text
    final = FinalVerdict(verdict="stay", reason="why", provisional=False)
    tested = fixtures.reports(seen, fixtures.evaluate().model_copy(update={"final": final}))
    assert f"{text}, in the verdict after the test too." in Outline(render(fixtures.whole() | tested)).text


def test_what_is_not_measured_or_known_says_so() -> None:
    nothing = Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    ladder = fixtures.ladder()
    blank = {"metrics": {"accuracy": nothing, "macro_f1": nothing}, "usd_per_1000": None}
    rungs = tuple(rung.model_copy(update=blank) for rung in ladder.rungs)
    reports = fixtures.reports(
        fixtures.curate().model_copy(update={"cost": None}),
        fixtures.validate(),
        ladder.model_copy(update={"rungs": rungs}),
    )
    text = Outline(render(reports)).text
    assert "nan" not in text.lower()
    assert "n/a" in text
    assert "Dollars of curate: no price is declared for them." in text
    assert "the test split has not been opened" in text
    figure = re.search(r'<dd class="value">([^<]*)</dd><dd class="note">on this machine', render(reports))
    assert figure is not None
    assert figure[1] == "not known"


def test_a_closed_gate_is_all_the_page_speaks_of() -> None:
    text = Outline(render({**fixtures.whole(), **fixtures.stopped()})).text
    assert "Stopped: the rows do not pass" in text
    assert "expect_column_values_to_be_in_set" in text
    assert "tickets.jsonl:1377" in text
    assert "Every candidate, measured" not in text
    assert (
        "Left out, as they are of an earlier run: ladder, prompt, diagnose, decide, train, export, evaluate, register."
        in text
    )


def test_an_unfinished_life_gives_no_verdict_and_names_what_it_leaves_out() -> None:
    reports = fixtures.whole()
    del reports["ladder"]
    text = Outline(render(reports)).text.partition("What the words mean")[0]
    assert "Not finished: ladder is next" in text
    assert "Use the fine-tune" not in text
    assert "provisional" not in text
    assert (
        "Left out, as they are of an earlier run: prompt, diagnose, decide, train, export, evaluate, register." in text
    )


def test_the_rung_that_stays_is_marked_though_another_is_more_accurate() -> None:
    html = render(fixtures.stay())
    marked = re.findall(r'<tr class="best">\s*<th scope="row">([^<]+)', html)
    assert [name.strip() for name in marked if "," in name] == ["Retrieval, nearest labelled rows"] * 2


@pytest.mark.parametrize(
    ("reports", "reason", "allowed"),
    [(fixtures.stay(), fixtures.WHY_STAY, "not allowed"), (fixtures.whole(), fixtures.WHY_TRAIN, "allowed")],
)
def test_the_reason_of_the_decision_stands_once_where_it_is_explained(
    reports: dict[str, Report], reason: str, allowed: str
) -> None:
    text = Outline(render(reports)).text
    assert text[text.index("Why: the decision") :].count(reason) == 1
    assert f"training {allowed}" in text
