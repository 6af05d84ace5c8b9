"""Four lives with prompted models, told on the page and in the terminal: each reads right, and nothing is made up."""

from __future__ import annotations

import io
import math
import re

import pytest
from rich.console import Console

from tailtune.core.reports import FailureClass, FailureExample, PromptReport, Report
from tailtune.report.html.page import render
from tailtune.report.story import Story
from tailtune.report.terminal.summary import Links, summary
from tailtune.report.verdict import headline

from . import fixtures, lives
from .basics import estimate
from .outline import HOSTILE, Outline

Reports = dict[str, Report]


def terminal(reports: Reports, width: int = 80, encoding: str = "utf-8") -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=out, width=width).print(summary(reports, Links()))
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    return out.buffer.getvalue().decode(encoding)


def flat(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(params=lives.LIVES.values(), ids=lives.LIVES)
def reports(request: pytest.FixtureRequest) -> Reports:
    found: Reports = request.param()
    return found


def test_every_page_is_whole_and_needs_no_network(reports: Reports) -> None:
    html = render(reports)
    page = Outline(html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "nan" not in page.text.lower().split()


def test_every_beginning_of_a_life_draws(reports: Reports) -> None:
    stages = list(reports)
    for length in range(len(stages) + 1):
        part = {stage: reports[stage] for stage in stages[:length]}
        Outline(render(part))
        terminal(part)


def test_a_report_may_be_missing_anywhere(reports: Reports) -> None:
    for missing in reports:
        part = {stage: report for stage, report in reports.items() if stage != missing}
        Outline(render(part))
        terminal(part)


def test_reports_of_before_prompts_were_measured_draw(reports: Reports) -> None:
    from tailtune.core.reports import REPORTS

    new = {"final", "economics", "usd_spent", "figures", "parts", "bought_usd"}

    def old(value: object) -> object:
        if isinstance(value, dict):
            return {key: old(one) for key, one in value.items() if key not in new}
        return [old(one) for one in value] if isinstance(value, list | tuple) else value

    read = {
        stage: REPORTS[stage].model_validate(old(report.model_dump()))
        for stage, report in reports.items()
        if stage not in ("prompt", "diagnose")
    }
    silent = {"prompt": fixtures.prompt(), "diagnose": fixtures.diagnose()}
    digest = {"rows_digest": reports["curate"].rows_digest}
    text = Outline(render({**read, **{name: one.model_copy(update=digest) for name, one in silent.items()}})).text
    assert "What each candidate costs to own" not in text and "Why the best prompt fails" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal(reports: Reports, width: int) -> None:
    for line in terminal(reports, width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()
    assert "?" not in terminal(reports, width, "ascii").replace("+ ?", "")


def test_stay_is_told_with_its_prompt_its_savings_and_what_would_change_it() -> None:
    page, text = Outline(render(lives.stay())).text, flat(terminal(lives.stay(), 120))
    for phrase in (
        "Stay with the prompt with retrieved examples",
        "a fine-tune costs $1,478 more than going on without one (95 % interval $1,058 to $1,898)",
        "71.2 % of the rows and 71.3 % of the dollars of a full evaluation were not needed",
        "t 16,000 requests a day a fine-tune would cost less; you have 1,500",
        "12,438 requests a day (95 % interval 9,950 to 16,169)",
        "etrieval missed",
        "The model is the slow part, 71.0 % of the time.",
        "92.0–98.4",
    ):
        assert phrase in page, phrase
        assert phrase in text, phrase
    for phrase in ("sequence, 450 rows", "200 of 1,000", "two labels 3", "retrieval v2", "retrieval hit 94.0 %"):
        assert phrase in page, phrase
    places = [page.index(at) for at in ("What would change this", "The five questions", "Every candidate, measured")]
    assert places == sorted(places)
    assert "▸ Prompt with retrieved examples" in text
    assert "lm_constrained, lm_strong: Prompt with retrieved examples meets the target without it" in text


def test_a_fine_tune_that_beats_a_dear_prompt_is_told_with_both_roads() -> None:
    page, text = Outline(render(lives.tune())).text, flat(terminal(lives.tune(), 120))
    for phrase in (
        "Use the fine-tune",
        "1.8 points more than the best prompt, stronger model. That is more than chance explains",
        "the fine-tune is worth $14,668 more than going on without it (95 % interval $12,568 to $16,768)",
        "From 617 requests a day (95 % interval 494 to 802) the fine-tune costs less in all; you have 6,000.",
        "$19,149",
        "$4,481",
        "ambiguous instructions",
        "billing: refund",
    ):
        assert phrase.lower() in page.lower(), phrase
        assert phrase.lower() in text.lower(), phrase
    for phrase in (
        "Tokens $15,560 2,191,500 requests × $7.10 per 1,000",
        "Labels hidden – $650",
        "json_object instead",
    ):
        assert phrase in page, phrase
    assert "cheaper way" not in headline(Story.of(lives.tune())).why, "the prompt is dearer"
    assert "After the test: use the fine-tune." in page


def test_not_yet_says_what_is_missing_and_keeps_unknown_money_unknown() -> None:
    reports = lives.not_yet()
    page, text = Outline(render(reports)).text, flat(terminal(reports, 120))
    shown = headline(Story.of(reports))
    assert (shown.tone, shown.title) == ("wait", "Not yet")
    for message in (
        "label more rows first",
        "provisional",
        "lm_few_shot: the budget of $1 was reached",
        "price of small-1",
        "whether a stronger model would do: none is declared",
        "not known for 400 answers",
    ):
        assert message.lower() in page.lower(), message
        assert message.lower() in text.lower(), message
    assert "Not drawn, as their price is not known: Prompt, zero-shot; Prompt with retrieved examples." in page
    assert "money ran out, 160 rows" in page
    before_glossary = page.partition("What the words mean")[0]
    assert "is worth" not in before_glossary and "costs less in all" not in before_glossary


def test_an_extraction_says_what_constrained_decoding_mends() -> None:
    page = Outline(render(lives.extraction())).text
    for text in (
        "not JSON 25, an unknown field 18",
        "95.7 %",
        "41 examples left out",
        "claimed_amount repair_estimate 210",
    ):
        assert text in page, text
    assert "4.5 points more than the best prompt, answer held to the schema" in page


def test_bought_answers_have_a_column_on_the_bill_only_when_there_are_any() -> None:
    assert "answers bought" in Outline(render(lives.tune())).text
    assert "answers bought" not in Outline(render(fixtures.whole())).text


def test_hostile_answers_notes_and_names_are_shown_and_not_obeyed() -> None:
    reports = lives.tune()
    example = FailureExample(
        origin=HOSTILE, text=HOSTILE, expected=HOSTILE, answered=HOSTILE, strong_answered=HOSTILE, detail=HOSTILE
    )
    cause = FailureClass(
        fault="context", reason=HOSTILE, rows=1, share=estimate(0.5, 9), action=f"`{HOSTILE}` `", examples=(example,)
    )
    answers = reports["prompt"]
    rung = answers.rungs[-1].model_copy(
        update={"title": HOSTILE, "model": HOSTILE, "invalid": {HOSTILE: 1}, "notes": (HOSTILE,), "prompt": HOSTILE}
    )
    message = {
        "rungs": (*answers.rungs[:-1], rung),
        "models": {HOSTILE: "base"},
        "notes": (HOSTILE,),
        "not_needed": {HOSTILE: HOSTILE},
        "unmeasured": (HOSTILE,),
    }
    diagnosed = reports["diagnose"].model_copy(update={"classes": (cause,), "strong_model": HOSTILE})
    html = render({**reports, "prompt": answers.model_copy(update=message), "diagnose": diagnosed})
    page = Outline(html)
    assert "script" not in page.tags
    assert html.count("<script") == 0 and page.text.count(HOSTILE) > 10


def test_figures_of_the_lives_agree_with_each_other(reports: Reports) -> None:
    """Or the tests above prove little."""
    answers, diagnosed = reports["prompt"], reports["diagnose"]
    assert answers.rows_bought == sum(rung.quality.rows for rung in answers.rungs)
    assert diagnosed.failures == sum(one.rows for one in diagnosed.classes)
    best = next(rung for rung in answers.rungs if rung.name == diagnosed.rung)
    assert best.quality.rows == diagnosed.rows
    if "exact_match" in best.metrics:
        assert round((1 - best.metrics["exact_match"].value) * diagnosed.rows) == diagnosed.failures
    else:
        assert math.isclose((1 - best.quality.value) * diagnosed.rows, diagnosed.failures, abs_tol=0.7)


@pytest.mark.parametrize(("hosted", "expected"), [(False, "at list price"), (True, "on this machine")])
def test_a_price_is_that_of_a_list_or_of_our_own_cores(hosted: bool, expected: str) -> None:
    reports = lives.stay()
    prompted = reports["prompt"]
    assert isinstance(prompted, PromptReport)
    rungs = tuple(rung.model_copy(update={"hosted": hosted}) for rung in prompted.rungs)
    page = render(reports | {"prompt": prompted.model_copy(update={"rungs": rungs})})
    assert re.search(rf'1,000 answers cost</dt><dd class="value">[^<]*</dd><dd class="note">{expected}', page)
