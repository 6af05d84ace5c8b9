"""Where an extractor errs: fields, mix-ups, confidence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tailtune.core.records import Answer, Row
from tailtune.core.reports import Confusion
from tailtune.judge.shares import share_of
from tailtune.tasks.extraction import scoring
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.details import calibration, confusions, failure, per_field
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.scoring import Tally, score, tally
from tasks.extraction.claims import RULES, SCHEMA, answered, gold

EXPECTED = [
    gold(loss_date="2026-01-01", report_date="2026-01-03", peril="fire"),
    gold(loss_date="2026-01-02", report_date="2026-01-04", peril="fire"),
    gold(peril="hail", injured=True),
]
ANSWERS = [
    answered(loss_date="2026-01-03", report_date="2026-01-01", peril="fire"),
    answered(loss_date="2026-01-04", report_date="04/01/2026", peril="hail"),
    answered(injured=True),
]


def test_fields_worst_first_with_the_other_candidate_beside() -> None:
    counted = tally(SCHEMA, EXPECTED, ANSWERS, RULES)
    found = per_field(SCHEMA, counted, tally(SCHEMA, EXPECTED, [answered(peril="fire")] * 3, RULES))
    assert [item.label for item in found] == ["loss_date", "report_date", "peril", "injured", "items"]
    date, peril, last = found[1], found[2], found[-1]
    assert (date.kind, date.rows, date.precision, date.recall, date.f1, date.f1_other) == ("date", 2, 0, 0, 0, 0)
    assert (date.format_correct, date.value_correct) == (0.5, 0.5)
    assert date.exact == share_of(1, 3)
    assert (peril.precision, peril.recall, peril.f1) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert peril.f1_other == pytest.approx(2 * 2 / 6)
    assert math.isnan(last.f1)
    assert last.rows == 0
    assert last.exact == share_of(3, 3)


def test_without_another_candidate_its_f1_is_not_a_number() -> None:
    found = per_field(SCHEMA, tally(SCHEMA, EXPECTED, ANSWERS, RULES), None)
    assert all(math.isnan(item.f1_other) for item in found)


def test_dates_in_each_others_place_and_wrong_choices_are_counted_most_first() -> None:
    counted = tally(SCHEMA, EXPECTED, ANSWERS, RULES)
    assert confusions(SCHEMA, EXPECTED, ANSWERS, counted, RULES) == (
        Confusion(expected="report_date", answered="loss_date", rows=2),
        Confusion(expected="loss_date", answered="report_date", rows=1),
        Confusion(expected="peril=fire", answered="peril=hail", rows=1),
        Confusion(expected="peril=hail", answered="peril=(none)", rows=1),
    )
    assert len(confusions(SCHEMA, EXPECTED, ANSWERS, counted, RULES, most=2)) == 2


def test_a_flag_is_written_as_in_json_and_rows_without_an_object_mix_up_nothing() -> None:
    expected, answers = [gold(injured=True), gold(injured=True)], [answered(injured=False), Answer(None, 0.1)]
    counted = tally(SCHEMA, expected, answers, RULES)
    found = confusions(SCHEMA, expected, answers, counted, RULES)
    assert found == (Confusion(expected="injured=true", answered="injured=false", rows=1),)


def test_a_value_of_another_kind_of_field_is_no_mix_up() -> None:
    expected, answers = [gold(items=["2026-01-01"])], [answered(loss_date="2026-01-01")]
    assert confusions(SCHEMA, expected, answers, tally(SCHEMA, expected, answers, RULES), RULES) == ()


def test_calibration_counts_answers_of_fields() -> None:
    expected = [gold(peril="fire")] * 2
    answers = [answered(peril="fire", sure=0.95), answered(peril="hail", sure=0.25)]
    low, high = calibration(tally(SCHEMA, expected, answers, RULES), bins=2)
    assert (low.rows, low.confidence, low.accuracy) == (5, pytest.approx(0.25), pytest.approx(4 / 5))
    assert (high.rows, high.confidence, high.accuracy) == (5, pytest.approx(0.95), 1)


def test_no_confidence_no_calibration() -> None:
    assert calibration(tally(SCHEMA, EXPECTED, ANSWERS, RULES), bins=15) == ()


def test_many_answers_are_sampled() -> None:
    rows, fields = scoring._MOST_ANSWERS // 50 + 10, 50
    empty = np.zeros((rows, fields), dtype=np.int32)
    sure = np.tile(np.float32([0.5, np.nan, 0.25, 0.5, 0.25]), (rows, 20))[:, :fields]
    whole = np.concatenate([sure, sure], axis=1)
    blank, yes = np.concatenate([empty, empty], axis=1), np.ones(rows, dtype=np.bool_)
    counted = Tally(blank, blank, blank, blank, blank, whole, np.zeros((rows, 3), np.int32), yes, yes, ~yes)
    bins = calibration(counted, bins=15)
    assert sum(item.rows for item in bins) == scoring._MOST_ANSWERS
    assert all(item.accuracy == 1 for item in bins)


@pytest.mark.parametrize(
    ("gold", "answered", "wrong"),
    [
        ({"hurt": False}, {"hurt": False}, []),
        ({"hurt": False}, {"hurt": None}, ["hurt"]),
        ({}, {"hurt": False}, ["hurt"]),
        ({"rooms": 0}, {}, ["rooms"]),
        ({"rooms": 1}, {"rooms": True}, ["rooms"]),
        ({"day": "2026-03-12"}, {"day": "03/12/2026"}, ["day"]),
        ({"names": ["a", "b"]}, {"names": ["b", "a"]}, []),
        ({}, {"names": [], "day": None}, []),
        ({}, {"more": 1}, ["more"]),
    ],
)
def test_a_failure_names_what_the_scorer_finds_wrong(
    gold: dict[str, Any], answered: dict[str, Any], wrong: list[str]
) -> None:
    properties = {"hurt": "boolean", "rooms": "integer", "day": "string", "names": "array"}
    kinds: dict[str, Any] = {name: {"type": [kind, "null"]} for name, kind in properties.items()}
    kinds |= {"day": kinds["day"] | {"format": "date"}, "names": {"type": "array", "items": {"type": "string"}}}
    schema = schema_from({"type": "object", "additionalProperties": False, "properties": kinds})
    row, answer = Row("1", "a text", Annotation(gold), "r.jsonl:1"), Extraction.of(answered)
    assert list(failure(schema, row, answer, {})["wrong"]) == wrong
    assert score(schema, [row.label], [answer]).right.tolist() == [not wrong]
