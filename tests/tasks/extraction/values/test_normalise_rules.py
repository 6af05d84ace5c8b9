from __future__ import annotations

import pytest

from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import normalise, object_valid, valid
from tasks.extraction.values.schemas import DATE, EVERY, MONEY, TEXT, document


def test_values_are_valid_as_whole_properties() -> None:
    assert valid(EVERY["items"], []) and valid(EVERY["items"], ["hood"]) and not valid(EVERY["items"], "hood")
    assert not valid(EVERY["items"], ["a"]) and not valid(EVERY["items"], None)
    assert valid(EVERY["name"], None) and not valid(EVERY["kind"], None)
    assert not valid(EVERY["report_date"], "2026-02-30"), "formats are checked"


def test_rules_are_compiled_once_for_a_field() -> None:
    assert EVERY["claimed"].rules is EVERY["claimed"].rules
    other = schema_from(document({"claimed": {"anyOf": [MONEY, {"type": "null"}]}}))
    assert other["claimed"].rules is not EVERY["claimed"].rules
    assert EVERY["claimed"].rules.hints.currencies == ("USD", "EUR", "GBP")
    assert (EVERY["claimed"].rules.hints.currency, EVERY["paid"].rules.hints.currency) == (None, "EUR")


def test_many_schemas_do_not_fill_the_memory_or_mix() -> None:
    for i in range(40):
        schema = schema_from(document({"a": TEXT | {"maxLength": i}, "b": DATE}))
        assert valid(schema["a"], "x" * i) and not valid(schema["a"], "x" * (i + 1))


@pytest.mark.parametrize(
    ("step", "good", "bad"),
    [
        (0.01, [0, 0.07, 0.29, 19.99, -1.15, 7, 1e308], [0.005, 1.001, 1e-9]),
        (0.1, [0.3, 0.7, 100], [0.25]),
        (5, [0, -15, 10.0, 10**30], [7, 2.5]),
        (1e-3, [0.001, 2.675], [0.0005]),
    ],
)
def test_multiples_are_those_of_the_decimals(step: float, good: list[float], bad: list[float]) -> None:
    field = schema_from(document({"a": {"type": ["number", "null"], "multipleOf": step}}))["a"]
    assert all(valid(field, value) for value in good)
    assert not any(valid(field, value) for value in bad)


def test_cents_are_read_where_a_schema_wants_cents() -> None:
    amount = {"type": "number", "multipleOf": 0.01}
    money = MONEY | {"properties": MONEY["properties"] | {"amount": amount}}
    field = schema_from(document({"a": {"anyOf": [money, {"type": "null"}]}}))["a"]
    assert all(normalise(field, f"${cents / 100:.2f}").ok for cents in range(0, 3000))


def test_whole_objects() -> None:
    schema = schema_from(document({"a": TEXT, "b": {"type": "boolean"}}, ["b"]))
    assert object_valid(schema, {"b": True}) and object_valid(schema, {"a": None, "b": False})
    assert not object_valid(schema, {"a": "x"}) and not object_valid(schema, {"b": True, "c": 1})
