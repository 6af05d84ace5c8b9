"""What work is worth; what is not known stays unknown."""

from __future__ import annotations

import pytest

from tailtune.judge.costs import training_usd, usd_per_1000


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
