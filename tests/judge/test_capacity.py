"""Whole cores serve a volume, and the volumes at which one candidate costs less than another."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import cost_inputs, prompted, rung, took
from tailtune.core.records import Serving
from tailtune.judge.capacity import NO_CORES, Saving
from tailtune.judge.economics import Candidate, CostInputs, cost_of, serving_of
from tailtune.judge.net_value import FINE_TUNE, Worth, assumed, measured, weigh

LOCAL_MODEL = measured(prompted(0.96, hosted=True, latency=took(2500, infer=2000)))
SLOW = Serving(least=2, per_core=25_920, core_usd=350.4)


def cores(candidate: Candidate, inputs: CostInputs) -> int:
    return serving_of(candidate, inputs).cores(inputs.requests_per_day)


def test_two_seconds_for_a_million_requests_a_day_keep_23_cores_busy_and_need_39() -> None:
    inputs = cost_inputs(1_000_000)
    assert cores(LOCAL_MODEL, cost_inputs(1_000_000, utilisation=1.0)) == math.ceil(2e6 / 86_400) == 24
    assert cores(LOCAL_MODEL, inputs) == math.ceil(2e6 / 86_400 / 0.6) == 39
    bill = {line.what: line for line in cost_of(LOCAL_MODEL, inputs).lines}
    assert bill["serving"].usd == pytest.approx(39 * 0.04 * 730 * 12)
    assert bill["serving"].basis == (
        "39 cores × $0.040 × 730 h × 12 months; 39 cores = 1,000,000 requests a day × 2 s / (86,400 s × 60 %)"
    )


def test_the_price_list_has_the_fewest_cores() -> None:
    assert cores(LOCAL_MODEL, cost_inputs(50_000)) == 2
    assert cores(LOCAL_MODEL, cost_inputs(50_000, serving_cores=8)) == 8
    assert cores(measured(rung("probe", 0.9)), cost_inputs(1_000_000)) == 2
    assert cores(measured(prompted(0.9)), cost_inputs(1_000_000)) == 0  # an endpoint


def test_a_fine_tune_that_is_not_trained_is_as_slow_as_expected() -> None:
    tuned = assumed(rung("probe", 0.93), 0.95, "assumed")
    assert cores(tuned, cost_inputs(100_000_000, tuned_ms=10.0)) == math.ceil(1e6 / 86_400 / 0.6)
    for unknown in (None, math.nan, 0.0):
        assert cores(tuned, cost_inputs(100_000_000, tuned_ms=unknown)) == 2


@pytest.mark.parametrize(
    ("saving", "volumes"),
    [
        (Saving(1.0, 500.0), (500.0, math.inf)),  # from a volume up
        (Saving(-1.0, -500.0), (0.0, 500.0)),  # below one
        (Saving(0.0, -1.0), (0.0, math.inf)),  # at any
        (Saving(0.0, 1.0), None),
        (Saving(-1.0, 1.0), None),
        (Saving(0.01, 0.0, ours=SLOW), None),  # two cores are paid off at a volume that needs a third
        (Saving(0.02, 0.0, ours=SLOW), (35_040.0, math.inf)),
        (Saving(0.01, -250.0, ours=SLOW), (45_080.0, 51_840.0)),  # between two: a third core is not worth it
        (Saving(-0.001, 0.0, theirs=SLOW), (0.0, math.inf)),  # the other needs cores of its own
        (Saving(-0.02, 0.0, theirs=SLOW), (0.0, 35_040.0)),  # cheaper below
    ],
)
def test_the_volumes_at_which_it_costs_less(saving: Saving, volumes: tuple[float, float] | None) -> None:
    found = saving.cheaper(1_000)
    assert (found is None) == (volumes is None)
    if found is not None and volumes is not None:
        assert found == pytest.approx(volumes, rel=0.01)


def _serving(least: int, per_core: float | None, core_usd: float) -> Serving:
    return Serving(least=least, per_core=per_core, core_usd=core_usd)


SERVINGS = st.one_of(
    st.just(NO_CORES), st.builds(_serving, st.integers(1, 4), st.none() | st.floats(100, 1e7), st.floats(1, 1e4))
)


@given(st.floats(-10, 10), st.floats(-1e4, 1e4), SERVINGS, SERVINGS, st.floats(1, 1e8))
def test_within_them_it_saves_and_outside_it_does_not_to_the_price_of_a_core(
    each: float, fixed: float, ours: Serving, theirs: Serving, per_day: float
) -> None:
    volumes = Saving(each, fixed, ours, theirs).cheaper(per_day)
    saved = each * per_day - fixed - (ours.usd(per_day) or 0.0) + (theirs.usd(per_day) or 0.0)
    core = max(ours.core_usd or 0.0, theirs.core_usd or 0.0)
    if abs(saved) > 2 * core + 1e-6 * max(1.0, abs(each * per_day)):
        assert (volumes is not None and volumes[0] < per_day <= volumes[1]) == (saved > 0)


def worth(per_day: float, usd_per_1000: float, tuned_ms: float) -> Worth:
    """A fine-tune as good as the prompt that it replaces, which takes a week of work once in ten years."""
    other = prompted(0.96, usd_per_1000=usd_per_1000)
    tuned = assumed(other, 0.96, "assumed")
    inputs = cost_inputs(per_day, 0.0, 3650, prompt_hours_per_change=40, tuned_ms=tuned_ms)
    found = weigh(other, tuned, inputs)
    assert found is not None and tuned.name == FINE_TUNE
    weighed = found.worth()
    assert weighed is not None
    return weighed


def test_a_fast_fine_tune_pays_from_a_volume_up() -> None:
    found = worth(10_000, usd_per_1000=0.5, tuned_ms=5)
    assert 0 < found.break_even.value < 10_000 and found.until is None


def test_a_slow_fine_tune_pays_between_two_volumes() -> None:
    """A core answers 25,920 requests a day at 2 s each, and costs more than the tokens that it saves."""
    found = worth(45_000, usd_per_1000=0.03, tuned_ms=2_000)
    assert found.until is not None and found.net.value > 0
    assert 30_000 < found.break_even.value < 45_000 < found.until.value <= 4 * 25_920
    assert worth(200_000, usd_per_1000=0.03, tuned_ms=2_000).net.value < 0


def test_a_known_volume_that_needs_more_cores_turns_the_net_value() -> None:
    """At 2 s and 1,000,000 a day the fine-tune was billed two cores, and so $13,000 a year too little."""
    few, many = (worth(1_000_000, usd_per_1000=0.02, tuned_ms=ms) for ms in (5, 2_000))
    assert few.net.value - many.net.value == pytest.approx(37 * 0.04 * 730 * 12)
    assert few.probability == 1.0 and many.probability == 0.0
