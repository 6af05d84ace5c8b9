"""Frozen values: nothing unknown, nothing changed afterwards, NaN survives JSON."""

import math

import pytest
from pydantic import ValidationError

from tailtune.core.records import Answer, Cost, Decision, Estimate, Row


def test_a_record_is_frozen_and_strict() -> None:
    decision = Decision(yes=True, reason="because")
    with pytest.raises(ValidationError):
        decision.reason = "else"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Decision(yes=True, reason="because", colour="red")  # type: ignore[call-arg]


def test_nan_and_null_survive_json() -> None:
    estimate = Estimate(value=math.nan, low=math.nan, high=math.nan, rows=0)
    assert math.isnan(Estimate.model_validate_json(estimate.model_dump_json()).value)
    cost = Cost(wall_s=1, cpu_s=1, peak_memory_mb=1, usd=None)
    assert Cost.model_validate_json(cost.model_dump_json()).usd is None


def test_a_row_without_a_split_has_none() -> None:
    row = Row("id", "text", "label", "a.csv:2")
    assert row.split is None and row.group is None


@pytest.mark.parametrize("nan", [math.nan, float("nan")], ids=["same NaN", "another NaN"])
def test_answers_without_a_confidence_are_equal_if_the_rest_is(nan: float) -> None:
    """Python 3.13 compares a dataclass field by field, and NaN differs from itself."""
    answer = Answer("a", math.nan, 0.001)
    assert answer == Answer("a", nan, 0.001)
    assert len({answer, Answer("a", nan, 0.001)}) == 1
    assert answer not in (Answer("b", nan, 0.001), Answer("a", nan), Answer("a", 0.5, 0.001), ("a", nan, 0.001))
