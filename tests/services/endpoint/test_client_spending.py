from __future__ import annotations

import time

import pytest
from doubles.conduct import Mishap
from doubles.endpoint import Double

from services.endpoint.helpers import PRICE, ask, asks, endpoint
from tailtune.core.errors import BudgetReachedError, ContextTooLongError, EndpointError
from tailtune.core.language import Reply
from tailtune.services.endpoint import AnswerCache, Budget

WORST_USD = 0.06  # of one request of these tests: about 20 tokens of prompt and 16 of answer at PRICE


def paid(double: Double) -> float:
    """What the server would charge."""
    return PRICE.usd(double.input_tokens, double.output_tokens)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_are_in_flight_than_declared(double: Double, concurrency: int) -> None:
    double.conduct.latency_s = 0.1
    with endpoint(double, concurrency=concurrency) as model:
        model.ask(asks(7))
    assert double.most_at_once == concurrency


def test_after_a_failure_nothing_is_sent_and_what_flies_lands_in_the_cache(double: Double, cache: AnswerCache) -> None:
    heard: list[int] = []
    double.conduct.latency_s = 0.4
    double.conduct.next(Mishap("status", 400, message="Billing hard limit reached"))
    with endpoint(double, cache, concurrency=3) as model, pytest.raises(EndpointError):
        model.ask(asks(9), lambda place, reply: heard.append(place))
    assert len(double.seen) == 3
    assert cache.rows() == 2 == len(heard)


def test_a_request_that_waits_to_be_sent_again_is_not_waited_for(double: Double) -> None:
    double.conduct.next(
        Mishap("status", 429, retry_after_s=60), Mishap("status", 400, message="Billing hard limit reached")
    )
    begun = time.monotonic()
    with endpoint(double, concurrency=2, retries=3) as model, pytest.raises(EndpointError, match="cannot be asked"):
        model.ask(asks(2))
    assert time.monotonic() - begun < 20
    assert len(double.seen) == 2


def test_the_place_of_a_prompt_that_is_too_long_is_told(double: Double, cache: AnswerCache) -> None:
    double.conduct.context_words = 20
    with endpoint(double, cache, concurrency=1) as model, pytest.raises(ContextTooLongError) as raised:
        model.ask([ask("short"), ask("short too"), ask("long " * 30), ask("never sent")])
    assert raised.value.place == 2
    assert "20 tokens" in raised.value.message
    assert "context_tokens of small" in str(raised.value.hint)
    assert (len(double.seen), cache.rows()) == (3, 2)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_money_is_a_hard_stop_whatever_is_in_flight(double: Double, cache: AnswerCache, concurrency: int) -> None:
    double.skill = lambda model, messages, schema, n: "word " * 16  # as long as it may be
    double.conduct.latency_s = 0.01
    budget = Budget(1.0)
    bought = endpoint(double, cache, budget, concurrency=concurrency)
    with bought as model, pytest.raises(BudgetReachedError) as raised:
        model.ask(asks(100))
    assert paid(double) <= 1.0
    assert paid(double) > 1.0 - WORST_USD, "only what might not fit is left"
    assert budget.spent_usd == pytest.approx(paid(double))
    assert len(raised.value.replies) == len(double.seen) == cache.rows() < 100
    assert f"{cache.rows()} of 100 requests are answered" in raised.value.message
    assert raised.value.exit_code == 3


def test_short_answers_are_bought_to_the_end_of_the_money(double: Double) -> None:
    """The longest that an answer may be is reserved, but only while it is in flight."""
    double.skill = lambda model, messages, schema, n: "a"
    budget = Budget(0.5)
    short = endpoint(double, budget=budget, concurrency=8, max_output_tokens=60)
    with short as model, pytest.raises(BudgetReachedError):
        model.ask(asks(400))
    assert 0.5 - 0.15 < paid(double) <= 0.5


def test_a_run_that_ran_out_of_money_goes_on_where_it_was(double: Double, cache: AnswerCache) -> None:
    with endpoint(double, cache, Budget(0.2)) as model, pytest.raises(BudgetReachedError) as raised:
        model.ask(asks(40))
    bought = len(raised.value.replies)
    assert 0 < bought < 40
    with endpoint(double, cache, Budget(9)) as model:
        replies = model.ask(asks(40))
    assert sum(reply.from_cache for reply in replies) == bought
    assert len(double.seen) == 40


def test_kept_answers_are_told_with_an_empty_budget(double: Double, cache: AnswerCache) -> None:
    with endpoint(double, cache) as model:
        model.ask(asks(3))
    with endpoint(double, cache, Budget(0)) as model:
        assert len(model.ask(asks(3))) == 3
        with pytest.raises(BudgetReachedError) as raised:
            model.ask(asks(4))
    assert sorted(raised.value.replies) == [0, 1, 2]
    assert len(double.seen) == 3


def test_two_models_pay_from_one_budget(double: Double) -> None:
    budget = Budget(0.3)
    with endpoint(double, budget=budget) as small, endpoint(double, budget=budget, name="large") as large:
        with pytest.raises(BudgetReachedError):
            small.ask(asks(100))
        with pytest.raises(BudgetReachedError) as raised:
            large.ask(asks(100))
    assert len(raised.value.replies) <= 1, "what may be left pays for one at most"
    assert paid(double) <= 0.3


def test_answers_of_estimated_cost_hold_what_they_may_have_cost(double: Double) -> None:
    double.conduct.usage = False
    budget = Budget(0.5)
    with endpoint(double, budget=budget) as model, pytest.raises(BudgetReachedError) as raised:
        model.ask(asks(100))
    assert 5 < len(raised.value.replies) < 20
    assert budget.spent_usd is not None
    assert budget.spent_usd < 0.4, "the rest is held back"
    assert paid(double) <= 0.5


def test_without_a_price_nothing_is_limited(double: Double) -> None:
    budget = Budget(0.000001)
    with endpoint(double, budget=budget, price=None) as model:
        assert len(model.ask(asks(5))) == 5
    assert budget.spent_usd is None


def test_a_lost_attempt_may_be_charged_and_is_put_aside(double: Double) -> None:
    double.conduct.next(Mishap("stall"))
    budget = Budget(1)
    with endpoint(double, budget=budget, timeout_s=1.0, retries=1) as model:
        (reply,) = model.ask(asks(1))
    assert reply.retries == 1
    assert budget.lost_requests == 1
    assert budget.spent_usd == reply.usd
    assert reply.usd is not None
    assert budget.left_usd < 1 - reply.usd - 0.02


def test_a_lost_attempt_is_not_repeated_beyond_the_limit(double: Double) -> None:
    double.conduct.next(Mishap("stall"))
    poor = endpoint(double, budget=Budget(WORST_USD), timeout_s=0.5, retries=5)
    with poor as model, pytest.raises(BudgetReachedError):
        model.ask(asks(1))
    assert len(double.seen) == 1


def test_refused_requests_cost_nothing(double: Double) -> None:
    double.conduct.next(*[Mishap("status", 429, retry_after_s=0.01)] * 3)
    budget = Budget(WORST_USD)
    replies: list[Reply] = []
    with endpoint(double, budget=budget, retries=3) as model:
        replies += model.ask(asks(1))
    assert replies[0].retries == 3
    assert budget.spent_usd == replies[0].usd
    assert budget.lost_requests == 0
