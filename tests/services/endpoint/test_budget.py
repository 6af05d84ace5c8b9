from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.services.endpoint import Budget, Reservation

STEPS = st.lists(
    st.tuples(st.sampled_from(["settle", "unknown", "release", "lose"]), st.floats(0, 0.4), st.floats(0, 1)),
    max_size=40,
)


def reserved(budget: Budget, usd: float | None) -> Reservation:
    hold = budget.reserve(usd)
    assert hold is not None
    return hold


def test_what_is_put_aside_and_not_spent_comes_back() -> None:
    budget = Budget(1)
    hold = reserved(budget, 0.8)
    assert budget.busy
    assert budget.left_usd == pytest.approx(0.2)
    assert budget.reserve(0.3) is None
    budget.settle(hold, 0.1)
    assert not budget.busy
    assert budget.spent_usd == 0.1
    assert budget.left_usd == pytest.approx(0.9)


def test_a_released_hold_costs_nothing_a_lost_one_stays_aside() -> None:
    budget = Budget(1)
    budget.release(reserved(budget, 0.5))
    assert budget.left_usd == 1
    budget.lose(reserved(budget, 0.5))
    assert (budget.left_usd, budget.spent_usd, budget.lost_requests) == (0.5, 0, 1)


def test_one_unknown_cost_makes_the_sum_unknown() -> None:
    budget = Budget(1)
    budget.settle(reserved(budget, 0.2), 0.1)
    budget.settle(reserved(budget, 0.2), None)
    assert budget.spent_usd is None
    assert budget.left_usd == pytest.approx(0.7)


def test_without_a_price_even_an_empty_budget_lets_pass() -> None:
    budget = Budget(0)
    assert budget.reserve(0.01) is None
    budget.settle(reserved(budget, None), None)
    assert budget.spent_usd is None


def test_what_was_bought_elsewhere_counts_and_takes_from_what_is_left() -> None:
    budget = Budget(1)
    budget.count(0.25)
    assert (budget.spent_usd, budget.left_usd, budget.busy) == (0.25, 0.75, False)
    budget.count(None)
    assert (budget.spent_usd, budget.left_usd) == (None, 0.75)


def test_a_hold_is_used_once() -> None:
    budget = Budget(1)
    hold = reserved(budget, 0.1)
    budget.settle(hold, 0.1)
    with pytest.raises(KeyError):
        budget.release(hold)


@given(STEPS)
def test_what_may_have_been_charged_never_exceeds_the_limit(steps: list[tuple[str, float, float]]) -> None:
    budget, charged, known = Budget(1), 0.0, 0.0
    for how, usd, share in steps:
        hold = budget.reserve(usd)
        if hold is None:
            continue
        if how == "settle":
            budget.settle(hold, usd * share)
            known += usd * share
        elif how == "unknown":
            budget.settle(hold, None)
        elif how == "release":
            budget.release(hold)
        else:
            budget.lose(hold)
        charged += {"settle": usd * share, "release": 0.0}.get(how, usd)  # at worst
        assert charged <= 1 + 1e-9
        assert budget.left_usd == pytest.approx(1 - charged, abs=1e-9)
        assert budget.spent_usd is None or budget.spent_usd == pytest.approx(known)


def test_threads_cannot_overrun_it_together() -> None:
    budget, counted = Budget(1), []

    def spend(seed: int) -> None:
        dice = random.Random(seed)
        while (hold := budget.reserve(0.01)) is not None:
            usd = dice.uniform(0, 0.01)
            budget.settle(hold, usd)
            counted.append(usd)

    threads = [threading.Thread(target=spend, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.9 < sum(counted) <= 1
    assert budget.spent_usd == pytest.approx(sum(counted))
