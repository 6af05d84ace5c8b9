"""Costs of bought answers are known or null; latency has its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from predictors.prompted.scripted import SPEC
from tailtune.core.errors import ContextTooLongError
from tailtune.core.language import Reply, Timing
from tailtune.core.records import Answer
from tailtune.predictors.prompted.costs import forms, latency, price, remarks, unusable
from tailtune.predictors.prompted.rung import PromptAnswer
from tailtune.report import numbers

NOTHING = Answer(None, float("nan"))
LONG = PromptAnswer(NOTHING, Reply(None, "too long", None, None, usd=0.0), "too long")


def answered(total_ms: float, parts: Mapping[str, float]) -> PromptAnswer:
    return PromptAnswer(Answer("a", float("nan")), Reply("a", "stop", 1, 1, timing=Timing(total_ms, parts)))


def test_parts_are_means_over_all_requests() -> None:
    """Three of four requests used a kept-alive connection: connecting cost them nothing, not an unknown amount."""
    found = latency([answered(100, {"connect": 40, "wait": 60}), *[answered(60, {"wait": 60})] * 3], "small")
    assert found.parts == {"connect": 10, "wait": 60}
    assert found.mean_ms == sum(found.parts.values()) == 70
    assert (found.p50_ms, found.rows) == (60, 4)


def test_texts_that_were_never_asked_have_no_time() -> None:
    found = latency([answered(60, {"wait": 60}), LONG, LONG], "small")
    assert (found.rows, found.mean_ms, found.p50_ms, found.parts) == (1, 60, 60, {"wait": 60})


def test_what_was_not_timed_is_no_time_of_zero() -> None:
    untimed = PromptAnswer(NOTHING, Reply(None, "refusal", 9, 0), "refused")
    assert latency([answered(60, {"wait": 60}), untimed], "small").p50_ms == 60
    nothing = latency([untimed], "small")
    assert nothing.rows == 0 and all(math.isnan(value) for value in (nothing.p50_ms, nothing.p99_ms, nothing.mean_ms))
    assert numbers.ms(nothing.p50_ms) == "n/a"


def test_where_every_text_is_too_long_it_is_told() -> None:
    with pytest.raises(ContextTooLongError, match="small: each of 2 texts is longer than the model takes") as raised:
        latency([LONG, LONG], "small")
    assert "context_tokens of small" in str(raised.value.hint)


def test_what_could_not_be_had_is_told_with_what_to_do() -> None:
    cut = PromptAnswer(NOTHING, Reply("{", "length", 1, 1), "cut off")
    refused = PromptAnswer(NOTHING, Reply(None, "content_filter", 9, 0, usd=0.1, usd_estimated=True), "refused")
    unpriced = PromptAnswer(NOTHING, Reply(None, "refusal", 9, 1), "refused")
    assert remarks([answered(1, {}), unpriced], SPEC) == ()
    assert remarks([answered(1, {}), cut, cut, LONG, refused, refused, refused, unpriced], SPEC) == (
        "2 of 8 answers were cut off at max_output_tokens 64: raise it",
        "1 of 8 texts was too long for small, even without examples: raise context_tokens 8192 if the model has more, "
        "or lower curate.max_chars",
        "3 of 8 rows were refused by a filter; their cost is estimated from the prompt",
    )


def test_what_a_server_cut_reckoned_and_thought_is_told() -> None:
    cut = PromptAnswer(Answer("a", float("nan")), Reply("a", "stop", 2050, 1, cut="prompt"))
    ended = PromptAnswer(NOTHING, Reply("{", "length", 4000, 9, cut="answer"), "cut off")
    reckoned = PromptAnswer(Answer("a", float("nan")), Reply("a", "stop", 9, 1, usd=0.1, usd_estimated=True))
    thinking = PromptAnswer(Answer("a", float("nan")), Reply("a", "stop", 9, 400, reasoning_tokens=380))
    notes = remarks([cut, ended, reckoned, thinking], SPEC)
    for words in (
        "1 of 4 prompts was cut by the server, which read 2,050 tokens at most",
        "set context_tokens of small, now 8192, to what it has",
        "1 of 4 answers was ended by the server before max_output_tokens 64",
        "1 of 4 answers was reported without usage; their cost is estimated",
        "92.5 % of the tokens paid as output are reasoning",
    ):
        assert sum(words in note for note in notes) == 1, (words, notes)
    assert len(notes) == 4
    assert "give the server of small more context" in unusable([ended], SPEC)


def test_a_rung_that_was_constrained_is_not_told_to_be() -> None:
    free = PromptAnswer(NOTHING, Reply("x", "stop", 1, 1), "no JSON")
    constrained = PromptAnswer(NOTHING, Reply("x", "stop", 1, 1, form="json_schema"), "no JSON")
    assert "add the rung lm_constrained" in unusable([free], SPEC)
    assert "lm_constrained" not in unusable([constrained], SPEC)


def test_forms_are_those_of_answers_that_were_given() -> None:
    content = PromptAnswer(Answer("a", float("nan")), Reply("a", "stop", 1, 1, form="json_schema"))
    refused = PromptAnswer(NOTHING, Reply(None, "content_filter", 9, 0, form="json_schema"), "refused")
    assert forms([content, content, answered(1, {}), refused, LONG]) == {"json_schema": 2, "none": 1}


def test_a_price_has_an_interval() -> None:
    found = price([0.001, 0.003] * 50)
    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert found.low < 2.0 < found.high
    assert found.high - found.value == pytest.approx(1.96 * 1.005 / 10, rel=0.01)


@pytest.mark.parametrize("usd", [[0.001, None], [None], []])
def test_one_unknown_cost_makes_the_price_unknown(usd: Sequence[float | None]) -> None:
    assert price(usd) is None


def test_a_free_answer_is_known_to_be_free() -> None:
    found = price([0.0, 0.0])
    assert found is not None and (found.value, found.low, found.high) == (0, 0, 0)
