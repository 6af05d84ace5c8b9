"""Betting against its own martingale, brute force over t, and what must be nested."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.judge.betting import Shares, f1_high, f1_low, gap_low, log_capital, mean_capital

LEVEL = 0.025


def shares(hits: list[float], sizes: list[float]) -> Shares:
    return Shares(np.array(hits), np.array(sizes), np.ones(len(hits)))


def capital(values: list[float]) -> float:
    held = np.array(values)
    return math.exp(mean_capital(log_capital(held, np.ones(len(held)))))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_capital_is_worth_one_while_the_mean_is_0(share: float) -> None:
    """Exact, over all 256 ways in which eight rows can turn out: what Ville's inequality needs."""
    worth = 0.0
    for turned in itertools.product((True, False), repeat=8):
        rows = sum(turned)
        worth += share**rows * (1 - share) ** (8 - rows) * capital([(one - share) / share for one in turned])
    assert worth == pytest.approx(1, abs=1e-9)


def test_capital_is_worth_less_while_the_mean_is_below_0() -> None:
    worth = 0.5 * capital([0.8]) + 0.5 * capital([-1.0])
    assert worth < 1


def test_capital_knows_no_order_and_counts_equal_rows() -> None:
    values = [0.3, -0.5, 0.3, 0.1]
    assert capital(values) == pytest.approx(capital(values[::-1]))
    grouped = mean_capital(log_capital(np.array([0.1, -0.5, 0.3]), np.array([1.0, 1.0, 2.0])))
    assert capital(values) == pytest.approx(math.exp(grouped))


def test_it_ends_where_capital_reaches_the_level() -> None:
    rows = shares([1.0] * 95 + [0.0] * 5, [1.0] * 100)
    low = f1_low(rows, LEVEL)

    def at(t: float) -> float:
        return capital(list(rows.hits / t - rows.sizes))

    assert at(low) >= 1 / LEVEL > at(low + 1e-3)
    assert f1_high(rows, LEVEL) == pytest.approx(1 - f1_low(rows.misses, LEVEL))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Shares, Shares]:
    """Rows of up to four items; each side's right, wrong and missed are free, as sides may err in any way."""
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    made = []
    wanted = random.integers(0, 5, size=count)
    for _ in range(2):
        hits = random.binomial(wanted, draw(st.sampled_from([0.05, 0.5, 0.9, 1.0])))
        wrong = random.binomial(4 - hits, draw(st.sampled_from([0.0, 0.3])))
        made.append(Shares(2 * hits / 8, (hits + wrong + wanted) / 8, np.ones(count)))
    return made[0], made[1]


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_no_gap_below_the_low_end_could_be_true(sides: tuple[Shares, Shares]) -> None:
    """Brute force over the second's F1 and all smaller gaps: each of them has lost its bet."""
    first, second = sides
    low = gap_low(first, second, (0.0, 1.0), LEVEL)
    assert low <= (first.f1 - second.f1 if not math.isnan(first.f1 - second.f1) else 1) + 1e-9
    for gap in np.linspace(-1, low, 7) if low > -1 else ():
        for t in np.linspace(0, 1, 9):
            values = first.hits - second.hits - t * (first.sizes - second.sizes) - gap * first.sizes
            tops = [top for top in (0.0, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0) if top >= gap - 1e-12]
            assert values.min() >= -(1 + tops[0]) - 1e-9
            assert mean_capital(log_capital(values / (1 + tops[0]), first.times)) >= -math.log(LEVEL) - 1e-9


@settings(max_examples=60, deadline=None)
@given(pairs(), st.sampled_from([(0.0, 0.5), (0.4, 0.6), (0.9, 1.0)]))
def test_knowing_more_of_the_second_never_widens(sides: tuple[Shares, Shares], known: tuple[float, float]) -> None:
    """Smaller sets of t leave less to reject; the interval of all t is the widest."""
    first, second = sides
    assert gap_low(first, second, known, LEVEL) >= gap_low(first, second, (0.0, 1.0), LEVEL) - 1e-4
