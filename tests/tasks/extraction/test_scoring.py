"""Measures of extraction against figures worked out by hand, and what must hold for any answers."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.core.measures import MEASURES
from tailtune.core.records import Answer
from tailtune.judge.shares import share_of
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.scoring import score
from tasks.extraction.claims import RULES, SCHEMA, answered, gold
from tasks.extraction.test_scoring_tally import VALUES

EXPECTED = [
    gold((0, 4, "loss_date"), loss_date="2026-01-01", items=["roof", "door"], peril="fire"),
    gold((3, 9, "loss_date"), loss_date="2026-01-02", injured=False),
    gold(),
]
ANSWERS = [
    answered((0, 4, "loss_date"), loss_date="2026-01-01", items=["roof"], peril="hail"),
    answered((3, 8, "loss_date"), loss_date="02/01/2026", injured=False),
    answered(),
]


def test_every_measure_by_hand() -> None:
    """Given 5, right 3 (date, roof, injured); wanted 6; one date is badly written but means the right day."""
    found = score(SCHEMA, EXPECTED, ANSWERS, RULES)
    assert {name: item.value for name, item in found.metrics.items()} == pytest.approx(
        {
            "field_f1": 2 * 3 / (5 + 6),
            "macro_f1": (2 * 1 / 4 + 2 * 1 / 3 + 0 + 1) / 4,  # report_date is never expected
            "field_precision": 3 / 5,
            "field_recall": 3 / 6,
            "exact_match": 1 / 3,
            "field_accuracy": 12 / 15,
            "span_f1": 2 * 1 / 4,
            "schema_valid": 2 / 3,
            "format_correct": 4 / 5,
            "value_correct": 4 / 5,
        }
    )
    assert found.quality == found.metrics["field_f1"]
    assert found.right.tolist() == [False, False, True]
    assert found.metrics["exact_match"] == share_of(1, 3)
    assert found.invalid_rows == 0
    assert math.isnan(found.ece), "nobody said how sure it was"
    assert set(found.metrics) <= set(MEASURES)
    assert {item.rows for item in found.metrics.values()} == {3}


def test_span_f1_is_left_out_where_no_span_is_expected() -> None:
    assert "span_f1" not in score(SCHEMA, [gold(peril="fire")], [answered((0, 1, "items"))], RULES).metrics


def test_no_object_counts_as_invalid() -> None:
    found = score(SCHEMA, [gold(peril="fire"), gold()], [Answer(None, math.nan)] * 2, RULES)
    assert found.invalid_rows == 2
    assert found.quality.value == 0
    assert found.metrics["field_accuracy"].value == 0
    assert found.metrics["schema_valid"].value == 0
    assert math.isnan(found.metrics["field_precision"].value), "nothing was given: not measured, which is not 0"
    assert math.isnan(found.metrics["field_precision"].low)


def test_calibration_error_is_over_answers_of_fields() -> None:
    """Four of five fields are right at 0.9: one bin, off by 0.1."""
    found = score(SCHEMA, [gold(peril="fire")], [answered(peril="hail", sure=0.9)], RULES, bins=1)
    assert found.ece == pytest.approx(0.1)


def test_the_interval_is_over_rows_not_fields() -> None:
    """Rows that are all right or all wrong: the interval is as wide as that of 40 coins, not of 200."""
    full = {"loss_date": "2026-01-01", "report_date": "2026-01-01", "items": ["x"], "peril": "fire", "injured": True}
    wrong = {"loss_date": "2026-01-02", "report_date": "2026-01-02", "items": ["y"], "peril": "hail", "injured": False}
    answers = [answered(**full)] * 20 + [answered(**wrong)] * 20
    found = score(SCHEMA, [gold(**full)] * 40, answers, RULES).metrics["field_f1"]
    width = 2 * 1.96 * math.sqrt(0.25 / 40)
    assert found.value == 0.5
    assert found.high - found.low == pytest.approx(width, rel=0.15)


@settings(max_examples=25, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_the_expected_answers_score_one(rows: list[dict[str, object]]) -> None:
    clean = [{**row, "loss_date": "2026-01-01", "report_date": None} for row in rows]
    expected = [Annotation({name: value for name, value in row.items() if value is not None}) for row in clean]
    found = score(SCHEMA, expected, [Extraction.of(row) for row in clean], RULES)
    assert found.right.all()
    for name in ("field_f1", "macro_f1", "field_precision", "field_recall", "field_accuracy"):
        item = found.metrics[name]
        assert (item.value, item.high) == (1, 1), name
        assert item.low < 1, "few rows are not sure of it"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_every_interval_holds_its_value_between_nothing_and_all(pairs: list[tuple[dict, dict]]) -> None:
    expected = [Annotation({name: value for name, value in needed.items() if value is not None}) for needed, _ in pairs]
    answers = [Extraction.of(given_) for _, given_ in pairs]
    found = score(SCHEMA, expected, answers, RULES)
    assert score(SCHEMA, expected, answers, RULES).metrics.keys() == found.metrics.keys()
    for item in found.metrics.values():
        assert math.isnan(item.value) or 0 <= item.low <= item.value <= item.high <= 1


def test_a_big_test_set_takes_seconds() -> None:
    """2,000 rows; the bound is loose."""
    random = np.random.default_rng(3)
    expected = [gold(peril="fire", loss_date=f"2026-01-{day:02}") for day in random.integers(1, 29, 2000)]
    answers = [answered(peril="hail" if odd else "fire", loss_date="2026-01-07") for odd in random.random(2000) < 0.1]
    begun = time.perf_counter()
    found = score(SCHEMA, expected, answers, RULES)
    assert time.perf_counter() - begun < 10
    assert found.quality.low < found.quality.value < found.quality.high
