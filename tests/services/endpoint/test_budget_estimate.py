from __future__ import annotations

import pytest

from services.endpoint.helpers import PRICE, SCHEMA, ask
from tailtune.config.prompting import LanguageModelSpec
from tailtune.services.endpoint.budget import CostEstimate

SPEC = LanguageModelSpec(name="small", endpoint="http://127.0.0.1:1/v1", max_output_tokens=100)


def most(estimate: CostEstimate, *of: object) -> float:
    usd = estimate.most_usd(ask(*of))
    assert usd is not None
    return usd


def test_it_holds_the_longest_answer_and_the_prompt() -> None:
    estimate = CostEstimate(SPEC, PRICE)
    assert most(estimate, "one") > PRICE.usd(5, 100)
    assert most(estimate, "one " * 100) >= most(estimate, "one") + PRICE.usd(90, 0)
    assert most(estimate, "one", SCHEMA) > most(estimate, "one"), "servers put the schema into the prompt"


def test_without_a_price_there_is_none() -> None:
    assert CostEstimate(SPEC, None).most_usd(ask("one")) is None


def test_prompts_that_were_longer_than_counted_correct_the_count() -> None:
    estimate = CostEstimate(SPEC, PRICE)
    before = most(estimate, "one")
    estimate.learn(ask("two"), 1)
    estimate.learn(ask("two"), None)
    assert most(estimate, "one") == before, "shorter ones do not: the next may be longer"
    estimate.learn(ask("one"), 1000)
    assert most(estimate, "one") == pytest.approx(PRICE.usd(1000, 100))
