"""The gate of an export: the same answers, and no quality lost."""

from __future__ import annotations

import pytest

from tailtune.core.records import Estimate
from tailtune.judge.parity import same_enough


def estimate(value: float, rows: int = 5000) -> Estimate:
    return Estimate(value=value, low=value - 0.002, high=value + 0.002, rows=rows)


@pytest.mark.parametrize(
    ("same", "difference", "passes"),
    [
        (1.0, 0.0, True),
        (0.99, -0.003, True),
        (0.9898, 0.0, False),
        (0.9999, -0.0031, False),
        (0.9898, -0.0031, False),
        (0.995, 0.01, True),
    ],
)
def test_both_limits_must_hold(same: float, difference: float, passes: bool) -> None:
    assert same_enough(estimate(same), estimate(difference, 800)).yes is passes


def test_the_reason_has_both_figures_and_the_interval() -> None:
    assert same_enough(estimate(0.9934), estimate(-0.001)).reason == (
        "the same answer on 99.3 % of 5,000 texts; −0.1 points (−0.3 to +0.1) on dev"
    )
    assert same_enough(estimate(0.981), estimate(0.0)).reason == (
        "the same answer on 98.1 % of 5,000 texts, less than 99.0 %; ±0.0 points (−0.2 to +0.2) on dev"
    )
    assert same_enough(estimate(1.0), estimate(-0.004)).reason == (
        "−0.4 points (−0.6 to −0.2) on dev, more than 0.3 points lost; the same answer on 100.0 % of 5,000 texts"
    )
