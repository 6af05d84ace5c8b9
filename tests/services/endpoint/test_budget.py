from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.services.endpoint import Hold, Purse

STEPS = st.lists(
    st.tuples(st.sampled_from(["settle", "unknown", "release", "lose"]), st.floats(0, 0.4), st.floats(0, 1)),
    max_size=40,
)


def held(purse: Purse, usd: float | None) -> Hold:
    hold = purse.hold(usd)
    assert hold is not None
    return hold


def test_what_is_put_aside_and_not_spent_comes_back() -> None:
    purse = Purse(1)
    hold = held(purse, 0.8)
    assert purse.busy
    assert purse.left_usd == pytest.approx(0.2)
    assert purse.hold(0.3) is None
    purse.settle(hold, 0.1)
    assert not purse.busy
    assert purse.spent_usd == 0.1
    assert purse.left_usd == pytest.approx(0.9)


def test_a_released_hold_costs_nothing_a_lost_one_stays_aside() -> None:
    purse = Purse(1)
    purse.release(held(purse, 0.5))
    assert purse.left_usd == 1
    purse.lose(held(purse, 0.5))
    assert (purse.left_usd, purse.spent_usd, purse.lost_requests) == (0.5, 0, 1)


def test_one_unknown_cost_makes_the_sum_unknown() -> None:
    purse = Purse(1)
    purse.settle(held(purse, 0.2), 0.1)
    purse.settle(held(purse, 0.2), None)
    assert purse.spent_usd is None
    assert purse.left_usd == pytest.approx(0.7)


def test_without_a_price_even_an_empty_purse_lets_pass() -> None:
    purse = Purse(0)
    assert purse.hold(0.01) is None
    purse.settle(held(purse, None), None)
    assert purse.spent_usd is None


def test_what_was_bought_elsewhere_counts_and_takes_from_what_is_left() -> None:
    purse = Purse(1)
    purse.count(0.25)
    assert (purse.spent_usd, purse.left_usd, purse.busy) == (0.25, 0.75, False)
    purse.count(None)
    assert (purse.spent_usd, purse.left_usd) == (None, 0.75)


def test_a_hold_is_used_once() -> None:
    purse = Purse(1)
    hold = held(purse, 0.1)
    purse.settle(hold, 0.1)
    with pytest.raises(KeyError):
        purse.release(hold)


@given(STEPS)
def test_what_may_have_been_charged_never_exceeds_the_limit(steps: list[tuple[str, float, float]]) -> None:
    purse, charged, known = Purse(1), 0.0, 0.0
    for how, usd, share in steps:
        hold = purse.hold(usd)
        if hold is None:
            continue
        if how == "settle":
            purse.settle(hold, usd * share)
            known += usd * share
        elif how == "unknown":
            purse.settle(hold, None)
        elif how == "release":
            purse.release(hold)
        else:
            purse.lose(hold)
        charged += {"settle": usd * share, "release": 0.0}.get(how, usd)  # at worst
        assert charged <= 1 + 1e-9
        assert purse.left_usd == pytest.approx(1 - charged, abs=1e-9)
        assert purse.spent_usd is None or purse.spent_usd == pytest.approx(known)


def test_threads_cannot_overrun_it_together() -> None:
    purse, counted = Purse(1), []

    def spend(seed: int) -> None:
        dice = random.Random(seed)
        while (hold := purse.hold(0.01)) is not None:
            usd = dice.uniform(0, 0.01)
            purse.settle(hold, usd)
            counted.append(usd)

    threads = [threading.Thread(target=spend, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.9 < sum(counted) <= 1
    assert purse.spent_usd == pytest.approx(sum(counted))
