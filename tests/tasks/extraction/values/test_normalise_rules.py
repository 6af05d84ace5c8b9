from __future__ import annotations

from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import object_valid, valid
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


def test_whole_objects() -> None:
    schema = schema_from(document({"a": TEXT, "b": {"type": "boolean"}}, ["b"]))
    assert object_valid(schema, {"b": True}) and object_valid(schema, {"a": None, "b": False})
    assert not object_valid(schema, {"a": "x"}) and not object_valid(schema, {"b": True, "c": 1})
