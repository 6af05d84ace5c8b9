"""What is charged is counted as charged, and the limit holds against it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double

from services.endpoint.helpers import PRICE, ask, asks, endpoint, spec_of
from tailtune.core.errors import BudgetReachedError, EndpointError
from tailtune.services.endpoint import AnswerCache, Budget, Endpoint

CHARGED = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}


def thinking(times: int) -> Any:
    """A model that thinks so many tokens for each of its answer, beyond any limit: only the total has them."""
    return lambda read, written: {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written * (1 + times),
    }


def charged(double: Double, times: int) -> float:
    return PRICE.usd(double.input_tokens, double.output_tokens * (1 + times))


def test_reasoning_beyond_the_answer_is_paid_and_kept_so(double: Double, cache: AnswerCache) -> None:
    double.conduct.bill = thinking(50)
    budget = Budget(9)
    with endpoint(double, cache, budget) as model:
        (reply,) = model.ask(asks(1))
        (kept,) = model.ask(asks(1))
    assert reply.output_tokens == 51 * double.output_tokens
    assert reply.usd == kept.usd == pytest.approx(charged(double, 50)) == budget.spent_usd


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("limit", [0.5, 2.0])
def test_the_limit_holds_against_what_is_charged(double: Double, concurrency: int, limit: float) -> None:
    """Each answer is charged for seven times the tokens that it may have."""
    double.skill = lambda model, messages, schema, n: "word " * 16
    double.conduct.bill, double.conduct.latency_s = thinking(6), 0.01
    budget = Budget(limit)
    asking = endpoint(double, budget=budget, concurrency=concurrency)
    with asking as model, pytest.raises(BudgetReachedError):
        model.ask(asks(100))
    assert budget.spent_usd == pytest.approx(charged(double, 6))
    assert limit - 0.3 < charged(double, 6) <= limit


def test_where_money_is_plenty_nothing_waits_for_the_first_answer(double: Double) -> None:
    double.conduct.latency_s = 0.1
    with endpoint(double, budget=Budget(1000), concurrency=4) as model:
        model.ask(asks(4))
    assert double.most_at_once == 4


FAILED_AND_CHARGED = {
    "no choices": Mishap("raw", 200, content={"object": "chat.completion", "choices": [], "usage": CHARGED}),
    "error in 200": Mishap("raw", 200, content={"error": {"message": "upstream broke"}, "usage": CHARGED}),
    "ended in an error": Mishap("raw", 200, content={"choices": [{"finish_reason": "error"}], "usage": CHARGED}),
    "500": Mishap("raw", 500, content={"error": {"message": "broke"}, "usage": CHARGED}),
}


@pytest.mark.parametrize("habit", FAILED_AND_CHARGED)
def test_failed_attempts_that_were_charged_are_paid(double: Double, cache: AnswerCache, habit: str) -> None:
    double.conduct.next(FAILED_AND_CHARGED[habit])
    budget = Budget(9)
    with endpoint(double, cache, budget, retries=1) as model:
        (reply,) = model.ask(asks(1))
        (kept,) = model.ask(asks(1))
    paid = PRICE.usd(30 + double.input_tokens, 5 + double.output_tokens)
    assert reply.usd == kept.usd == pytest.approx(paid)
    assert budget.spent_usd == pytest.approx(paid)
    assert (budget.lost_requests, reply.retries) == (0, 1)


def test_what_failed_for_good_is_paid_too(double: Double) -> None:
    double.conduct.coming.extend([FAILED_AND_CHARGED["500"]] * 2)
    budget = Budget(9)
    with endpoint(double, budget=budget, retries=1) as model, pytest.raises(EndpointError):
        model.ask(asks(1))
    assert budget.spent_usd == pytest.approx(2 * PRICE.usd(30, 5))


def test_charged_failures_are_not_repeated_beyond_the_limit(double: Double) -> None:
    double.conduct.coming.extend([FAILED_AND_CHARGED["500"]] * 9)
    budget = Budget(0.1)
    with endpoint(double, budget=budget, retries=9) as model, pytest.raises(BudgetReachedError):
        model.ask(asks(1))
    assert budget.spent_usd == pytest.approx(len(double.seen) * PRICE.usd(30, 5))
    assert budget.spent_usd <= 0.1


def test_a_refused_row_costs_what_its_usage_says(double: Double) -> None:
    refusal = {"error": {"message": "content policy", "code": "content_filter"}, "usage": CHARGED}
    double.conduct.filters, double.conduct.filtered = "poison", Mishap("raw", 400, content=refusal)
    with endpoint(double) as model:
        reply = model.ask([ask("poison")])[0]
    assert (reply.usd, reply.usd_estimated) == (pytest.approx(PRICE.usd(30, 5)), False)


@pytest.mark.parametrize("served", [True, False])
def test_a_prompt_that_was_cut_is_marked_and_a_server_logs_it_once(
    double: Double, cache: AnswerCache, caplog: pytest.LogCaptureFixture, served: bool
) -> None:
    double.conduct.bill = lambda read, written: {"prompt_tokens": min(read, 100), "completion_tokens": written}
    texts = [ask("short"), ask("word " * 300), ask("another " * 300)]
    model = Endpoint(spec_of(double), PRICE, cache, served=served)
    with caplog.at_level(logging.WARNING, "tailtune.endpoint"):
        replies, again = model.ask(texts), model.ask(texts)
    model.close()
    assert [reply.cut for reply in replies] == ["", "prompt", "prompt"] == [reply.cut for reply in again]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == served and all("cut a prompt: it read 100 tokens" in line for line in lines)
