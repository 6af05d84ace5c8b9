from __future__ import annotations

import time
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailtune.tasks.extraction.schema import Kind, ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import normalise
from tailtune.tasks.extraction.values.normalise import READERS
from tasks.extraction.values.schemas import EVERY, MONEY, PROPERTIES, document, schemas

ANCHOR = date(2026, 5, 12)


@pytest.mark.parametrize(
    ("name", "surface", "value"),
    [
        ("name", "  Ana \n Di\u0301az ", "Ana D\u00edaz"),
        ("policy", "ab 123-4567", "AB1234567"),
        ("ref", "CL 2601234", "CL-26-01234"),
        ("report_date", "4 May 2026", "2026-05-04"),
        ("loss_date", "last Tuesday", "2026-05-05"),
        ("birth_date", "5/12/1980", "1980-12-05"),
        ("loss_time", "2:05 pm", "14:05"),
        ("claimed", "$2.5k", {"amount": 2500.0, "currency": "USD"}),
        ("paid", "1.250", {"amount": 1250, "currency": "EUR"}),
        ("share", "12,5 %", 12.5),
        ("mileage", "85.000 km", 85000),
        ("phone", "(415) 555-0123", "+14155550123"),
        ("email", "Ana@X.org", "ana@x.org"),
        ("peril", "Total loss", "total_loss"),
        ("injured", "no", False),
        ("items", "left  mirror", "left mirror"),
        ("visits", "yesterday", "2026-05-11"),
    ],
)
def test_each_kind_is_read_into_its_own_type(name: str, surface: str, value: Any) -> None:
    made = normalise(EVERY[name], surface, ANCHOR)
    assert (made.value, made.reason, made.ok) == (value, "", True)
    assert type(made.value) is type(value)


def test_every_kind_has_a_case_above() -> None:
    assert {field.kind for field in EVERY.fields} == set(get_args(Kind)) == set(READERS)


@pytest.mark.parametrize(
    ("name", "surface", "reason"),
    [
        ("name", " \n ", "nothing but white space"),
        ("name", "x", "is too short"),
        ("policy", "12345", "does not match"),
        ("report_date", "31 June 2026", "no day of the calendar"),
        ("loss_time", "soon", "no time of day"),
        ("claimed", "-$5", "less than the minimum"),
        ("claimed", "¥5", "none of USD, EUR, GBP"),
        ("paid", "€ 12.50", "12.5 is not of type 'integer'"),
        ("share", "120", "greater than the maximum"),
        ("mileage", "12.5", "no whole number"),
        ("phone", "5" * 300, "too long for a phone"),
        ("peril", "meteor", "none of fire, water, total_loss"),
        ("injured", "maybe", "neither yes nor no"),
    ],
)
def test_what_is_not_valid_is_refused_with_the_reason(name: str, surface: str, reason: str) -> None:
    made = normalise(EVERY[name], surface, ANCHOR)
    assert made.value is None and not made.ok and reason in made.reason


def test_a_relative_date_without_anchor_says_so() -> None:
    assert normalise(EVERY["loss_date"], "yesterday").needs_anchor
    assert not normalise(EVERY["loss_date"], "gibberish").needs_anchor


def test_the_usual_currency_is_the_only_one_or_the_default() -> None:
    usual = MONEY | {
        "properties": {"amount": {"type": "number"}, "currency": {"enum": ["USD", "EUR"], "default": "EUR"}}
    }
    schema = schema_from(document({"a": {"anyOf": [usual, {"type": "null"}]}}))
    assert normalise(schema["a"], "2.5k").value == {"amount": 2500.0, "currency": "EUR"}
    assert not normalise(EVERY["claimed"], "2.5k").ok


def test_seconds_are_added_where_only_they_are_valid() -> None:
    schema = schema_from(document({"t": PROPERTIES["loss_time"] | {"pattern": r"^\d\d:\d\d:\d\d$"}}))
    assert normalise(schema["t"], "2:05 pm").value == "14:05:00"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(), st.text(max_size=12) | st.sampled_from(["2026-05-04", "$5", "7", "yesterday", "fire", "a@b.org"]))
def test_a_value_is_valid_or_there_is_a_reason(schema: ObjectSchema, surface: str) -> None:
    for field in schema.fields:
        made = normalise(field, surface, ANCHOR)
        assert made.ok == (made.value is not None)
        assert not made.ok or field.rules.item.is_valid(made.value)


def test_common_surfaces_take_less_than_a_tenth_of_a_millisecond() -> None:
    cases = [("report_date", "4 May 2026"), ("loss_date", "yesterday"), ("loss_time", "2:05 pm"), ("mileage", "85,000")]
    cases += [("claimed", "$2,500.00"), ("phone", "(415) 555-0123"), ("email", "a@b.org"), ("policy", "AB1234567")]
    took = []
    for name, surface in cases * 50:
        began = time.perf_counter()
        normalise(EVERY[name], surface, ANCHOR)
        took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 100e-6
