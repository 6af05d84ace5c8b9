"""The gate of an export: the same answers, and no quality lost."""

from __future__ import annotations

import pytest

from tailtune.core.records import Estimate
from tailtune.judge.parity import cannot_pass, same_enough, same_parts, same_wholly


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


def test_few_texts_tell_when_they_leave_no_doubt() -> None:
    assert cannot_pass(Estimate(value=0.92, low=0.89, high=0.94, rows=500))
    assert not cannot_pass(Estimate(value=0.985, low=0.97, high=0.993, rows=500))


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


def test_of_objects_the_fields_are_counted_that_one_of_both_fills() -> None:
    before = [{"a": 1, "b": 2}, {"a": 1}, {}, {"c": 3}]
    after = [{"a": 1, "b": 3}, {"a": 1, "d": 4}, {}, {}]
    assert same_parts(before, after).value == pytest.approx(2 / 5)
    assert same_wholly(before, after).value == 1 / 4
    assert same_parts([{}], [{}]).value == 1.0, "nobody has found anything"


def test_an_object_of_many_fields_is_worth_less_than_so_many_texts() -> None:
    dice = [[(row * 7 + field) % 50 == 0 for field in range(20)] for row in range(100)]
    wrong = [{str(field): wrong for field, wrong in enumerate(row)} for row in dice]
    right = [dict.fromkeys(row, False) for row in wrong]
    clustered = [dict.fromkeys(row, at % 50 == 0) for at, row in enumerate(right)]
    spread, together = same_parts(right, wrong), same_parts(right, clustered)
    assert spread.value == pytest.approx(together.value, abs=0.005)
    assert together.high - together.low > 2 * (spread.high - spread.low)


def test_of_labels_the_texts_are_counted_exactly() -> None:
    before = [{"label": "a"}] * 99 + [{"label": None}]
    after = [{"label": "a"}] * 98 + [{"label": "b"}, {"label": None}]
    same = same_parts(before, after)
    assert (same.value, same.rows, same.worth_rows) == (0.99, 100, 100)


def test_the_reason_of_objects_has_both_shares() -> None:
    assert same_enough(estimate(0.9934), estimate(-0.001), estimate(0.86)).reason == (
        "the same value in 99.3 % of fields with one (86.0 % of 5,000 objects in every field); "
        "−0.1 points (−0.3 to +0.1) on dev"
    )
