"""The verdict that holds: the newest gate speaks, in words an owner understands, and what it is worth is said."""

from __future__ import annotations

import pytest

from tailtune.core.records import Decision
from tailtune.core.reports import DecideReport, RegisterReport
from tailtune.report.html.page import render
from tailtune.report.story import Story
from tailtune.report.verdict import headline

from . import fixtures, lives
from .outline import Outline


def test_the_verdict_of_the_test_outranks_the_decision() -> None:
    reports = lives.tune()
    found = reports["evaluate"]
    final = found.final.model_copy(
        update={
            "verdict": "not-yet",
            "reason": "neither reaches 95.3 %",
            "provisional": True,
            "would_change": ("rows",),
        }
    )
    story = Story.of({**reports, "evaluate": found.model_copy(update={"final": final})})
    shown = headline(story)
    assert (shown.tone, shown.title) == ("wait", "Not yet")
    assert shown.why.startswith(
        "Neither reaches 95.3 %. Until then LoRA fine-tune answers 94.3 % right on 1,665 test rows"
    )
    assert story.provisional
    assert story.verdict is not None and story.verdict.would_change == ("rows",)


@pytest.mark.parametrize(
    ("reason", "more"),
    [
        ("on test the rung reaches 94.8 % (93.6–95.7)", ". These are 1,665 test rows, kept back until the end."),
        (
            "the rung did on dev",
            ". On 1,665 test rows kept back until the end, the prompt with retrieved examples answers",
        ),
    ],
)
def test_what_it_reaches_on_test_is_said_once(reason: str, more: str) -> None:
    reports = lives.stay()
    found = reports["evaluate"]
    assert found.final.verdict == "stay"
    final = found.final.model_copy(update={"reason": reason})
    why = headline(Story.of({**reports, "evaluate": found.model_copy(update={"final": final})})).why
    assert reason[1:] + more in why and why.count("94.8 %") == 1


@pytest.mark.parametrize("missing", ["ladder", "decide"])
def test_an_unfinished_life_has_no_verdict_to_show(missing: str) -> None:
    reports = lives.tune()
    del reports[missing]
    story = Story.of(reports)
    assert story.verdict is None and not story.provisional
    page = Outline(render(reports)).text
    assert "What would change this" not in page and "What each candidate costs to own" not in page


def test_before_the_test_the_decision_speaks_and_says_what_it_is_worth() -> None:
    reports = lives.tune()
    before = {stage: reports[stage] for stage in ("curate", "validate", "ladder", "prompt", "diagnose", "decide")}
    shown = headline(Story.of(before))
    assert shown.title == "A fine-tune can pay"
    assert shown.why.endswith("it comes out ahead in 99.9 % of draws.")


def test_without_economics_no_money_is_told() -> None:
    assert "$" not in headline(Story.of(fixtures.stay())).why
    reports = lives.stay()
    found = reports["evaluate"]
    silent = found.final.model_copy(update={"economics": None})
    shown = headline(Story.of({**reports, "evaluate": found.model_copy(update={"final": silent})}))
    assert shown.title == "Stay with the prompt with retrieved examples"
    assert "$" not in shown.why


def test_a_prompt_that_is_held_against_the_fine_tune_is_not_called_cheaper() -> None:
    text = headline(Story.of(lives.tune())).why
    assert "more than the best prompt, stronger model." in text and "cheaper" not in text
    assert "the best cheaper way (frozen encoder + linear probe)" in headline(Story.of(fixtures.whole())).why


def test_the_headline_ends_with_what_to_do_next() -> None:
    shown = fixtures.whole()
    registered, decided = shown["register"], shown["decide"]
    assert isinstance(registered, RegisterReport) and isinstance(decided, DecideReport)
    serve = f"Next: serve version {registered.version}, which is champion"
    assert registered.promotion.yes and headline(Story.of(shown)).why.endswith(f" {serve}.")
    capped = decided.model_copy(update={"ceiling": "labels cap it"})
    review = "review the labels that look wrong (tailtune labels support-tickets --out FILE.csv)"
    assert headline(Story.of({**shown, "decide": capped})).why.endswith(f" {serve}, and {review}.")
    refused = registered.model_copy(update={"promotion": Decision(yes=False, reason="no better")})
    line = "declaring label_usd: at $0.02 a label instead of the default $0.08 a fine-tune pays"
    hanging = decided.model_copy(update={"would_change": (line,)})
    price = "ask what label_usd really is and declare it, as another amount turns this verdict"
    assert headline(Story.of({**shown, "decide": hanging})).why.endswith(f" {serve}, and {price}.")
    assert "Next" not in headline(Story.of({**shown, "register": refused})).why
