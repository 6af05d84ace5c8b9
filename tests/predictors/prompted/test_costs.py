"""What is told before anything is asked is reckoned in one place, from the first texts."""

from __future__ import annotations

import pytest

from predictors.prompted.scripted import CODEC, SHOWING, SPEC, Scripted
from tailtune.config.prices import TokenPrice
from tailtune.config.prompting import LanguageModelSpec
from tailtune.predictors.prompted.costs import expected
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.rung import Prompted

PRICE = TokenPrice(input_usd_per_million=1_000, output_usd_per_million=2_000)


def rung(spec: LanguageModelSpec = SPEC) -> Prompted:
    return Prompted("lm_zero_shot", SHOWING, CODEC, spec, NoExamples(), _opened=[Scripted()])


def test_the_first_texts_speak_for_all() -> None:
    texts = ["one two"] * 50 + ["word " * 500] * 50
    read, written = rung().expected_tokens(texts[:50])
    found = expected(rung(), texts, PRICE)
    assert (found.input_tokens, found.output_tokens) == (2 * read, 2 * written)
    assert found.usd == pytest.approx(2 * (read * 1_000 + written * 2_000) / 1e6)


def test_without_a_price_dollars_are_not_known_and_a_local_model_is_free() -> None:
    local = LanguageModelSpec(name="here", folder="lm/x")
    assert expected(rung(), ["a"], None).usd is None
    assert expected(rung(local), ["a"], None).usd == 0
    assert expected(rung(local), ["a"], PRICE).usd == 0


def test_no_texts_take_nothing() -> None:
    found = expected(rung(), [], PRICE)
    assert (found.input_tokens, found.output_tokens, found.usd) == (0, 0, 0)
