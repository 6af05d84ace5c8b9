"""The page says what the embedded model is, why a verdict may change, and what to declare so that it need not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from report import fixtures
from report.lives.tuning import tune_prompt
from tailtune.core.reports import PromptReport, Role
from tailtune.report.prompted import about_embedded, declare_next, provisional_words, why_provisional
from tailtune.report.sections import prompts
from tailtune.report.story import Story, telling

WHY = "no stronger model was asked"


def embedded() -> PromptReport:
    return tune_prompt().model_copy(
        update={"models": {"smollm2": "base"}, "embedded": ("smollm2",), "left_out": {"Prompt, step by step": "slow"}}
    )


def test_what_the_embedded_model_is_stands_beside_its_figures() -> None:
    story = Story(prompt=embedded(), use_case="claims")
    section = prompts(story)
    assert section is not None
    facts = {fact.name: fact.text for fact in section.facts}
    assert "135M parameters" in facts["model"] and "not what a good model would" in facts["model"]
    assert facts["left out"] == "Prompt, step by step: slow"
    assert "Prompt, step by step: slow" in story.not_measured
    assert about_embedded(tune_prompt()) == ""


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"smollm2": "base"}, "with the role base and another with the role strong in"),
        ({"smollm2": "base", "large": "strong"}, "with the role base in"),
        ({"small": "base"}, "with the role strong in"),
        ({"small": "base", "large": "strong"}, ""),
    ],
)
def test_what_is_lacking_is_to_be_declared(models: dict[str, Role], words: str) -> None:
    found = embedded().model_copy(update={"models": models})
    assert words in declare_next(found)
    assert bool(declare_next(found)) == bool(words)


def test_a_provisional_verdict_says_why_and_what_to_do() -> None:
    decided = fixtures.decide().model_copy(update={"why_provisional": WHY})
    story = Story(prompt=embedded(), decide=decided)
    assert provisional_words(story).startswith("No stronger model was asked. Declare an endpoint or a folder with")
    old = Story(prompt=fixtures.prompt(), decide=fixtures.decide())
    assert why_provisional(old).startswith(f"not measured: {fixtures.NO_MODEL}; ")
    assert provisional_words(Story(decide=fixtures.decide_stay())) == ""


def test_prompts_rungs_and_the_fine_tune_stand_side_by_side() -> None:
    assert telling(Story.of(fixtures.whole())) == (), "no prompt was measured"
    found = telling(replace(Story.of(fixtures.whole()), prompt=embedded()))
    assert {"probe", "retrieval", "lora", embedded().best} <= {candidate.name for candidate in found}
    values = [candidate.quality.value for candidate in found]
    assert values == sorted(values, reverse=True)
