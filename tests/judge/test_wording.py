"""Figures in reasons."""

from __future__ import annotations

import pytest

from tailtune.core.records import Estimate
from tailtune.judge.wording import months, pct, points, usd, usd_between


def test_an_estimate_is_shown_in_percent() -> None:
    assert pct(Estimate(value=0.931, low=0.922, high=0.939, rows=10)) == "93.1 % (92.2–93.9)"
    assert points(Estimate(value=0.0123, low=-0.004, high=0.021, rows=10)) == "+1.2 points (-0.4 to +2.1)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0.00"), (0.00123, "$0.0012"), (0.02, "$0.020"), (0.5, "$0.50"), (3.2, "$3.20"), (99.4, "$99.40"),
     (99.5, "$100"), (1240.4, "$1,240"), (-3.2, "−$3.20")],
)  # fmt: skip
def test_dollars(value: float, text: str) -> None:
    assert usd(value) == text


def test_an_interval_of_dollars_and_months() -> None:
    assert usd_between(Estimate(value=5, low=-310.2, high=11930, rows=1)) == "$5.00 (−$310 to $11,930)"
    assert (months(1), months(12)) == ("1 month", "12 months")
