"""From measured rungs to what is weighed: assumed fine-tunes, the rung of best value, the roads that are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import candidate, prompted, rung, setting
from tailtune.core.records import Estimate
from tailtune.judge.economy import owning_usd
from tailtune.judge.weighing import (
    assumed,
    best_value,
    on_test,
    optimistic_quality,
    option,
    request_price,
    roads_beside,
    weigh,
    wrong,
)
from tailtune.tasks.classification.config import ClassificationTargets

TARGETS = ClassificationTargets(accuracy=0.94)


@given(st.floats(0.01, 0.99), st.floats(0, 1))
def test_an_assumed_fine_tune_is_wrong_as_often_as_its_quality_says(best: float, quality: float) -> None:
    assert assumed(rung("probe", best), quality, "x").wrong == pytest.approx(1 - quality)


def test_whole_rows_shrink_in_proportion_where_the_target_is_of_parts() -> None:
    exact = Estimate(value=0.4, low=0.38, high=0.42, rows=1000)
    f1 = Estimate(value=0.9, low=0.89, high=0.91, rows=1000)
    found = rung("token_probe", 0.9).model_copy(update={"metrics": {"field_f1": f1, "exact_match": exact}})
    assert (wrong(found).low, wrong(found).value, wrong(found).high) == pytest.approx((0.58, 0.6, 0.62))
    assert assumed(found, 0.95, "x").wrong == pytest.approx(0.3)
    assert assumed(rung("probe", 1.0), 0.9, "x").wrong == 0


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
    rungs, held = (
        [rung("tfidf", 0.8), rung("probe", 0.9, fit_rows=9), prompted(0.95, per_1000)],
        setting(per_day, error),
    )
    best = best_value(rungs, held)
    assert best is not None
    costs = [owning_usd(option(one), held) or 0.0 for one in rungs]
    assert costs[rungs.index(best)] == min(costs)


def test_nothing_is_ranked_where_one_is_not_known() -> None:
    assert best_value([rung("probe", 0.9), prompted(0.95, None)], setting()) is None
    assert best_value([rung("probe", 0.9)], None) is None
    assert best_value([], setting()) is None
    assert weigh(prompted(0.95, None), assumed(rung("probe", 0.9), 0.95, ""), setting()) is None


def test_the_roads_beside_have_one_of_each_kind_the_best_first() -> None:
    slow = prompted(0.99, 1.0, p99_ms=5000, name="lm_strong")
    rungs = [rung("tfidf", 0.8), rung("probe", 0.9), prompted(0.95, 1.0), slow]
    fast = TARGETS.model_copy(update={"p99_ms": 1000.0})
    names = [one.name for one in roads_beside(rungs[2], rungs, fast, setting())]
    assert names == ["lm_retrieval", "probe"]
    assert [one.name for one in roads_beside(rungs[0], rungs, fast, setting())] == ["tfidf", "lm_retrieval"]
    assert [one.name for one in roads_beside(rungs[0], rungs[:2], fast, setting())] == ["tfidf"]
    assert [one.name for one in roads_beside(rungs[1], rungs, fast, setting(error_usd=None))] == [
        "probe",
        "lm_retrieval",
    ]


def test_on_test_a_road_has_the_figures_of_the_test() -> None:
    held = option(prompted(0.95, usd_per_1000=2.0))
    price = Estimate(value=0.003, low=0.003, high=0.003, rows=3000)
    found = on_test(held, candidate("lm_retrieval", 0.91), price)
    assert (found.wrong, found.quality, found.request_usd) == (pytest.approx(0.09), 0.91, 0.003)
    assert found.basis == "measured on 3,000 test rows"
    assert on_test(held, candidate("lm_retrieval", 0.91), None).request_usd == 0.002
