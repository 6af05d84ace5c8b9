"""Net value, its probability and the break-even volume, against closed forms and simulation; and what is weighed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from judge.evidence import against, around, candidate, cost_inputs, paired, product_targets, prompted, rung
from tailtune.core.records import Estimate
from tailtune.core.reports import Paired
from tailtune.judge.economics import owning_usd
from tailtune.judge.net_value import (
    DRAWS,
    Drawn,
    Weighed,
    Worth,
    assumed,
    assumed_gain,
    best_value,
    candidates_beside,
    measured,
    on_test,
    optimistic_quality,
    paired_gain,
    paying_volumes,
    price_of,
    request_price,
    weigh,
    worth,
    wrong,
)

TARGETS = product_targets(0.94)


@given(st.floats(0.01, 0.99), st.floats(0, 1))
def test_an_assumed_fine_tune_is_wrong_as_often_as_its_quality_says(best: float, quality: float) -> None:
    assert assumed(rung("probe", best), quality, "x").wrong == pytest.approx(1 - quality)


def test_whole_rows_shrink_in_proportion_where_the_target_is_of_parts() -> None:
    exact = Estimate(value=0.4, low=0.38, high=0.42, rows=1000)
    f1 = Estimate(value=0.9, low=0.89, high=0.91, rows=1000)
    found = rung("token_probe", 0.9).model_copy(update={"metrics": {"field_f1": f1, "exact_match": exact}})
    assert (wrong(found).low, wrong(found).value, wrong(found).high) == pytest.approx((0.58, 0.6, 0.62))
    assert assumed(found, 0.95, "x").wrong == pytest.approx(0.3)
    assert assumed(rung("probe", 1.0), 0.9, "x").wrong == pytest.approx(0.1)


def test_no_more_rows_are_wrong_than_there_are() -> None:
    few = Estimate(value=0.5, low=0.4, high=0.6, rows=1000)
    found = rung("probe", 0.99).model_copy(update={"metrics": {"field_f1": around(0.99), "exact_match": few}})
    assert assumed(found, 0.95, "x").wrong == 1.0


def test_the_optimist_credits_head_room_and_every_upper_end() -> None:
    assert optimistic_quality(rung("probe", 0.9), [], TARGETS) == pytest.approx(0.96)
    assert optimistic_quality(rung("probe", 0.9), [rung("x", 0.97)], TARGETS) == pytest.approx(0.98)
    assert optimistic_quality(rung("probe", 0.999), [], TARGETS) == 1.0


def test_a_price_is_that_of_a_request_with_its_interval() -> None:
    assert request_price(prompted(0.9, usd_per_1000=2.0)) == Estimate(value=0.002, low=0.00196, high=0.00204, rows=1000)
    assert request_price(prompted(0.9, usd_per_1000=2.0, usd_low=None, usd_high=None)) == Estimate(
        value=0.002, low=0.002, high=0.002, rows=1000
    )
    assert request_price(prompted(0.9, usd_per_1000=None)) is None
    for own in (rung("probe", 0.9), prompted(0.9, usd_per_1000=2.0, hosted=True)):
        assert request_price(own) == Estimate(value=0, low=0, high=0, rows=1000)


@given(st.floats(1, 1e6), st.floats(0, 1), st.floats(0.01, 20))
def test_the_rung_of_best_value_costs_least_to_own(per_day: float, error: float, per_1000: float) -> None:
    rungs, inputs = (
        [rung("tfidf", 0.8), rung("probe", 0.9, fit_rows=9), prompted(0.95, per_1000)],
        cost_inputs(per_day, error),
    )
    best = best_value(rungs, inputs)
    assert best is not None
    costs = [owning_usd(measured(one), inputs) or 0.0 for one in rungs]
    assert costs[rungs.index(best)] == min(costs)


def test_nothing_is_ranked_where_one_is_not_known() -> None:
    assert best_value([rung("probe", 0.9), prompted(0.95, None)], cost_inputs()) is None
    assert best_value([rung("probe", 0.9)], None) is None
    assert best_value([], cost_inputs()) is None
    assert weigh(prompted(0.95, None), assumed(rung("probe", 0.9), 0.95, ""), cost_inputs()) is None


def test_the_candidates_beside_have_one_of_each_kind_the_best_first() -> None:
    slow = prompted(0.99, 1.0, p99_ms=5000, name="lm_strong")
    rungs = [rung("tfidf", 0.8), rung("probe", 0.9), prompted(0.95, 1.0), slow]
    fast = replace(TARGETS, p99_ms=1000.0)
    names = [one.name for one in candidates_beside(rungs[2], rungs, fast, cost_inputs())]
    assert names == ["lm_retrieval", "probe"]
    assert [one.name for one in candidates_beside(rungs[0], rungs, fast, cost_inputs())] == ["tfidf", "lm_retrieval"]
    assert [one.name for one in candidates_beside(rungs[0], rungs[:2], fast, cost_inputs())] == ["tfidf"]
    assert [one.name for one in candidates_beside(rungs[1], rungs, fast, cost_inputs(error_usd=None))] == [
        "probe",
        "lm_retrieval",
    ]


def test_on_test_a_road_has_the_figures_of_the_test() -> None:
    on_dev = measured(prompted(0.95, usd_per_1000=2.0))
    price = Estimate(value=0.003, low=0.003, high=0.003, rows=3000)
    found = on_test(on_dev, candidate("lm_retrieval", 0.91), price)
    assert (found.wrong, found.quality, found.request_usd) == (pytest.approx(0.09), 0.91, 0.003)
    assert found.basis == "measured on 3,000 test rows"
    assert on_test(on_dev, candidate("lm_retrieval", 0.91), None).request_usd == 0.002


def fixed(value: float) -> Drawn:
    return Drawn(value, np.full(DRAWS, value), 1000)


def test_net_value_is_savings_minus_what_is_fixed() -> None:
    found = worth(per_day=1000, days=100, fixed_usd=500, gain=fixed(0.01), saved_usd=fixed(0.002), error_usd=0.3)
    # 100,000 requests × (0.002 + 0.01 × 0.3) − 500
    assert (found.net.value, found.net.low, found.net.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    assert found.break_even.value == pytest.approx(1000)
    dearer = worth(1000, 100, 499, fixed(0.01), fixed(0.002), 0.3)
    assert (dearer.net.value, dearer.probability) == (pytest.approx(1.0), 1.0)


@example(1.0, 3650.0, 1e5, 0.0, 1e-305, 0.0)
@given(
    st.floats(1, 1e6), st.floats(30, 3650), st.floats(-1e5, 1e5), st.floats(-0.5, 0.5), st.floats(0, 0.1),
    st.floats(0, 10),
)  # fmt: skip
def test_at_the_break_even_volume_nothing_is_won_or_lost(
    per_day: float, days: float, usd: float, gain: float, saved: float, error: float
) -> None:
    found = worth(per_day, days, usd, fixed(gain), fixed(saved), error)
    each = saved + error * gain
    if math.isnan(found.break_even.value):
        assert each <= 1e-300 and usd >= 0
    elif found.until is not None:
        assert each < 0 and usd < 0 and (found.net.value > 0) == (per_day < found.until.value)
    elif found.break_even.value == 0:
        assert usd <= 0 or each * days > 1e6 * usd
    else:
        again = worth(found.break_even.value, days, usd, fixed(gain), fixed(saved), error)
        assert again.net.value == pytest.approx(0, abs=1e-6 * max(1, abs(usd)))
        assert (found.net.value > 0) == (per_day > found.break_even.value) or found.net.value == pytest.approx(0, abs=1)


def test_where_each_request_loses_there_is_no_volume() -> None:
    found = worth(1000, 365, 500, fixed(-0.01), fixed(0.0), 0.5).break_even
    assert math.isnan(found.value) and math.isnan(found.high)


def test_where_it_may_lose_the_interval_has_no_upper_end() -> None:
    found = worth(1000, 365, 500, paired_gain(against(52, 45)), fixed(0.0), 0.5)
    assert 0 < found.probability < 1
    assert found.break_even.low < found.break_even.value and math.isnan(found.break_even.high)
    assert found.net.low < found.net.value < found.net.high


def test_a_fine_tune_with_less_to_pay_costs_less_at_any_volume() -> None:
    assert worth(1000, 365, -10, fixed(0.01), fixed(0.0), 0.5).break_even.value == 0


@pytest.mark.parametrize(("first", "second", "rows"), [(30, 12, 600), (4, 0, 300), (200, 150, 3000), (0, 0, 500)])
def test_the_interval_of_a_gain_is_about_that_of_the_counts(first: int, second: int, rows: int) -> None:
    found = paired_gain(against(first, second, rows))
    assert found.value == (first - second) / rows
    low, high = np.quantile(found.draws, [0.025, 0.975])
    # Agresti and Min (2005): half a row in each of the four cells, then Wald
    spread = math.sqrt(first + second + 1 - (first - second) ** 2 / (rows + 2)) / (rows + 2)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.2)
    assert low < found.value < high


def test_no_row_that_differs_is_no_certainty() -> None:
    assert paired_gain(against(0, 0, 500)).draws.std() > 0.0005
    assert worth(1000, 365, 0.0, paired_gain(against(0, 0, 500)), fixed(0.0), 0.5).probability == pytest.approx(
        0.5, abs=0.05
    )


def test_the_interval_of_net_value_holds_the_truth_as_often_as_it_says() -> None:
    """1,000 tests of 800 rows; the truth is 95,000 dollars of errors avoided."""
    random, lines = np.random.default_rng(7), []
    for first, second, _ in random.multinomial(800, [0.045, 0.02, 0.935], size=1000):
        net = worth(1000, 400, 0.0, paired_gain(against(int(first), int(second), 800)), fixed(0.0), 9.5).net
        lines.append(net.low <= 1000 * 400 * 9.5 * 0.025 <= net.high)
    assert 0.93 <= np.mean(lines) <= 0.97


def grouped(random: np.random.Generator, groups: int, size: int) -> Paired:
    """Rows of which half answer as their group does: 7 % right by the first alone, 3 % by the second."""
    places = np.repeat(np.arange(groups), size)
    shared, own = (random.choice(3, n, p=[0.07, 0.03, 0.9]) for n in (groups, groups * size))
    cell = np.where(random.random(groups * size) < 0.5, shared[places], own)
    return paired(cell != 1, cell != 0, ("lora", "probe"), places)


def test_the_interval_of_net_value_holds_where_rows_come_in_groups() -> None:
    """As independent rows, 65 % of these hold the truth."""
    random, holds = np.random.default_rng(5), []
    for _ in range(200):
        net = worth(1000, 400, 0.0, paired_gain(grouped(random, 60, 10)), fixed(0.0), 1.0).net
        holds.append(net.low <= 1000 * 400 * 0.04 <= net.high)
    assert 0.92 <= np.mean(holds) <= 0.99


def test_groups_of_one_row_are_independent_rows() -> None:
    found = grouped(np.random.default_rng(7), 500, 1)
    assert found.worth_rows == pytest.approx(500)
    as_before = paired_gain(found.model_copy(update={"worth_rows": None}))
    assert paired_gain(found).draws == pytest.approx(as_before.draws)


def test_an_assumed_fine_tune_varies_as_the_rung_was_measured() -> None:
    wrong = Estimate(value=0.07, low=0.05, high=0.11, rows=500)
    found = assumed_gain(wrong, 0.05)
    low, high = np.quantile(found.draws, [0.025, 0.975])
    assert found.value == pytest.approx(0.02)
    assert (low, high) == pytest.approx((0.0, 0.06), abs=0.002)
    assert (assumed_gain(Estimate(value=0.01, low=0.0, high=0.9, rows=5), 0.0).draws >= 0).all()


def test_a_price_varies_as_its_tokens_do_and_is_never_below_0() -> None:
    found = price_of(Estimate(value=0.002, low=0.001, high=0.003, rows=100))
    assert np.quantile(found.draws, [0.025, 0.975]) == pytest.approx([0.001, 0.003], abs=0.0001)
    assert (price_of(Estimate(value=0.001, low=0.0, high=0.9, rows=2)).draws >= 0).all()


def test_prices_and_answers_vary_apart() -> None:
    gain, price = paired_gain(against(50, 30)), price_of(Estimate(value=1, low=0.5, high=1.5, rows=9))
    assert abs(np.corrcoef(gain.draws, price.draws)[0, 1]) < 0.05


def test_the_same_figures_give_the_same_draws() -> None:
    assert (paired_gain(against(9, 3)).draws == paired_gain(against(9, 3)).draws).all()


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (5_840.0, None, "from 5,900 requests a day"),
        (0.7, None, "from 1 request a day"),
        (0.0, 12_345.0, "below 12,000 requests a day"),
        (101.0, 5_555.0, "between 110 and 5,500 requests a day"),
        (101.0, 104.0, "between 101 and 104 requests a day"),
        (0.0, 0.4, "between 0 and 0.4 requests a day"),
    ],
)
def test_volumes_that_pay_end_above_where_they_begin(start: float, end: float | None, written: str) -> None:
    def at(value: float) -> Estimate:
        return Estimate(value=value, low=value, high=value, rows=1000)

    shown = Worth(at(1.0), 0.5, at(start), None if end is None else at(end))
    weighed = weigh(prompted(0.95), assumed(rung("probe", 0.9), 0.95, ""), cost_inputs())
    assert weighed is not None

    class Known(Weighed):
        def worth(self, per_day: float | None = None, error_usd: float | None = None) -> Worth:
            return shown

    assert paying_volumes(Known(weighed.tuned, weighed.other, weighed.gain, weighed.saved, weighed.inputs)) == written
