"""What work is worth; what is not known stays unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.records import Cost
from tailtune.judge.costs import total_usd, training_usd, usd_per_1000


def cost(usd: float | None) -> Cost:
    return Cost(wall_s=1, cpu_s=1, peak_memory_mb=1, usd=usd)


def test_1000_rows_at_3_6_ms_are_3_6_seconds_of_a_core() -> None:
    assert usd_per_1000(3.6, 0.04) == pytest.approx(0.00004)


def test_training_is_rows_by_epochs_at_a_pace() -> None:
    assert training_usd(rows=10_000, epochs=5, rows_per_s=500, machine_hour_usd=0.08) == pytest.approx(
        100 / 3600 * 0.08
    )


def test_an_unknown_price_gives_an_unknown_amount_and_a_price_of_0_gives_0() -> None:
    assert usd_per_1000(3.6, None) is None
    assert training_usd(10, 1, 5.0, None) is None
    assert usd_per_1000(3.6, 0.0) == 0
    assert training_usd(10, 1, 5.0, 0.0) == 0


@pytest.mark.parametrize("pace", [0.0, -1.0])
def test_a_pace_that_was_not_measured_gives_no_estimate(pace: float) -> None:
    assert training_usd(10, 1, pace, 0.08) is None


def test_one_unknown_cost_makes_the_total_unknown() -> None:
    assert total_usd([cost(1.5), cost(0.25)]) == pytest.approx(1.75)
    assert total_usd([cost(1.5), cost(None)]) is None
    assert total_usd([cost(1.5), None]) is None
    assert total_usd([]) == 0


@given(st.lists(st.floats(0, 1e6), max_size=10), st.floats(0, 1e6))
def test_a_total_never_falls_when_a_stage_is_added(known: list[float], more: float) -> None:
    before, after = total_usd(map(cost, known)), total_usd(map(cost, [*known, more]))
    assert before is not None
    assert after is not None
    assert after >= before
