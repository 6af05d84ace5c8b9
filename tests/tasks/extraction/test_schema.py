from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.core.errors import SpecError
from tailtune.tasks.extraction.schema import Hints, ObjectSchema, hints_of, value_schema
from tailtune.tasks.extraction.schema_reader import load_schema, schema_from

MONEY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount", "currency"],
    "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR"]}},
}
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Claim",
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "loss_date", "paid", "peril"],
    "properties": {
        "name": {"type": ["string", "null"], "description": "Who.", "minLength": 2},
        "report_date": {"type": ["string", "null"], "format": "date"},
        "loss_date": {"type": ["string", "null"], "format": "date", "x-relative-to": "report_date"},
        "visits": {"type": "array", "items": {"type": "string", "format": "date", "x-relative-to": "report_date"}},
        "loss_time": {"type": ["string", "null"], "format": "time"},
        "email": {"anyOf": [{"type": "string", "format": "email"}, {"type": "null"}]},
        "phone": {"type": "string", "format": "phone", "x-region": "GB"},
        "plate": {"type": ["string", "null"], "pattern": "^[A-Z0-9]+$", "x-normal": "upper"},
        "share": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "rooms": {"type": "integer", "exclusiveMinimum": 0},
        "paid": {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/money"}], "description": "Net."},
        "peril": {"enum": ["fire", "water", None]},
        "kind": {"const": "claim"},
        "hurt": {"type": ["boolean", "null"]},
        "items": {"type": ["array", "null"], "items": {"$ref": "#/$defs/item"}, "maxItems": 3, "uniqueItems": True},
    },
    "$defs": {"money": MONEY, "item": {"type": "string", "minLength": 2}},
}


def changed(**properties: Any) -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    document["properties"] |= properties
    return document


def faults(document: dict[str, Any]) -> list[str]:
    with pytest.raises(SpecError) as caught:
        schema_from(document)
    return [str(fault) for fault in caught.value.faults]


@pytest.fixture(scope="module")
def schema() -> ObjectSchema:
    return schema_from(DOCUMENT)


def test_every_property_is_a_field_of_its_kind(schema: ObjectSchema) -> None:
    assert {field.name: field.kind + "*" * field.many for field in schema.fields} == {
        "name": "text",
        "report_date": "date",
        "loss_date": "date",
        "visits": "date*",
        "loss_time": "time",
        "email": "email",
        "phone": "phone",
        "plate": "text",
        "share": "number",
        "rooms": "integer",
        "paid": "money",
        "peril": "choice",
        "kind": "choice",
        "hurt": "flag",
        "items": "text*",
    }
    assert [field.name for field in schema.classified] == ["peril", "kind", "hurt"]
    assert len(schema.spanned) == len(schema.fields) - 3


def test_fields_know_choices_relations_and_words(schema: ObjectSchema) -> None:
    assert schema["peril"].choices == ("fire", "water")
    assert schema["kind"].choices == ("claim",)
    assert (schema["loss_date"].relative_to, schema["visits"].relative_to) == ("report_date", "report_date")
    assert (schema["name"].description, schema["paid"].description) == ("Who.", "Net.")


def test_a_field_may_stay_empty_when_null_is_valid_or_it_is_not_required(schema: ObjectSchema) -> None:
    assert {field.name for field in schema.fields if not field.nullable} == set()
    tight = deepcopy(DOCUMENT)
    tight["required"] += ["kind", "visits", "hurt"]
    assert {field.name for field in schema_from(tight).fields if not field.nullable} == {"kind", "visits"}


def test_references_are_resolved_and_null_is_taken_out_of_a_value(schema: ObjectSchema) -> None:
    assert "$ref" not in json.dumps([dict(field.subschema) for field in schema.fields])
    assert value_schema(schema["paid"])["properties"] == MONEY["properties"]
    assert value_schema(schema["items"]) == {"type": "string", "minLength": 2}
    assert value_schema(schema["peril"])["enum"] == ["fire", "water"]
    assert value_schema(schema["email"])["format"] == "email"


TEXT = {"type": ["string", "null"]}
EURO = {"enum": ["EUR"]}


def or_null(**rules: Any) -> dict[str, Any]:
    """A text that may be null, said with anyOf."""
    return {"anyOf": [{"type": "string", **rules}, {"type": "null"}]}


def test_hints_say_how_a_text_is_read(schema: ObjectSchema) -> None:
    assert hints_of(schema["plate"]) == Hints(upper=True, dashed=True)
    assert hints_of(schema["phone"]) == Hints(region="GB")
    assert hints_of(schema["paid"]) == Hints(currencies=("USD", "EUR"))
    usual = MONEY | {
        "properties": {"amount": {"type": "number"}, "currency": {"enum": ["USD", "EUR"], "default": "EUR"}}
    }
    read = schema_from(changed(usual=usual, born={"type": "string", "format": "date", "x-day-first": True}))
    assert hints_of(read["usual"]).currency == "EUR"
    assert hints_of(read["born"]).day_first


def test_hints_hold_for_the_items_of_a_list_wherever_they_stand() -> None:
    phones: dict[str, Any] = {"type": "array", "items": or_null(format="phone")}
    days = {"type": "array", "items": or_null(format="date", **{"x-relative-to": "report_date"})}
    read = schema_from(changed(beside=phones | {"x-region": "DE"}, days=days))
    assert hints_of(read["beside"]).region == "DE"
    assert read["days"].relative_to == "report_date"


@pytest.mark.parametrize(
    ("property_", "expected"),
    [
        ({"type": "object", "properties": {"a": TEXT}}, "a nested object"),
        ({"type": "array", "items": {"enum": ["a"]}}, "an array of enum values cannot be read"),
        ({"type": "array", "items": {"type": "boolean"}}, "an array of booleans"),
        ({"type": "array", "items": {"type": "array", "items": TEXT}}, "an array of lists"),
        ({"type": "array"}, "must say what it holds"),
        ({"type": "array", "items": TEXT, "minItems": 1}, "minItems: cannot be met"),
        ({"type": "array", "items": TEXT, "maxItems": 0}, "nothing fits"),
        ({"type": "array", "items": TEXT, "contains": TEXT}, "contains: cannot be obeyed"),
        ({"type": "array", "items": TEXT | {"pattern": "("}}, "items.pattern: no regular expression"),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "several shapes"),
        ({"minLength": 5, "anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}, "and, otherwise, in anyOf"),
        ({"anyOf": [{"anyOf": [{"type": "string"}]}, {"type": "null"}]}, "no type"),
        ({"type": ["string", "number", "null"]}, "expected one type beside null, found string, number"),
        ({"type": "null"}, "type null"),
        ({"description": "x"}, "no type; expected a string"),
        (True, "true says nothing about the value"),
        ({"enum": [1, 2, None]}, "expected strings, found 1, 2"),
        ({"enum": [None]}, "empty: no value can be chosen"),
        ({"enum": []}, "empty: no value can be chosen"),
        ({"type": "integer", "enum": ["a"]}, "expected strings, found type integer"),
        (TEXT | {"enum": ["a", "b", None], "const": "b"}, "the enum's own 'a' does not satisfy const"),
        (TEXT | {"enum": ["a", "bb", None], "minLength": 2}, "does not satisfy minLength"),
        ({"type": ["number", "null"], "minimum": 3, "maximum": 2}, "nothing lies between"),
        ({"type": ["number", "null"], "exclusiveMinimum": 3, "maximum": 3}, "nothing lies between"),
        ({"type": ["integer", "null"], "minimum": 1.2, "maximum": 1.8}, "nothing lies between"),
        ({"type": ["integer", "null"], "exclusiveMinimum": 1, "exclusiveMaximum": 2}, "nothing lies between"),
        (TEXT | {"minLength": 5, "maxLength": 3}, "5 is above maxLength 3"),
        (TEXT | {"pattern": "[a-"}, "pattern: no regular expression"),
        (TEXT | {"patern": "a"}, "patern: cannot be obeyed here; did you mean pattern?"),
        (TEXT | {"format": "date-time"}, "one field of format date and one of time"),
        (TEXT | {"format": "phne"}, "did you mean phone?"),
        (TEXT | {"format": "iri"}, "say it with `pattern`"),
        (TEXT | {"x-normal": "lower"}, "x-normal: expected upper"),
        ({"type": ["number", "null"], "x-normal": "upper"}, "on a text field"),
        (TEXT | {"x-region": "US"}, "on a phone field"),
        (TEXT | {"format": "phone", "x-region": "usa"}, "expected a country such as US"),
        (TEXT | {"format": "phone", "x-region": "UK"}, "expected a country such as US"),
        (TEXT | {"format": "phone", "x-regoin": "GB"}, "x-regoin: is not read; did you mean x-region?"),
        ({"type": "array", "x-region": "USA", "items": TEXT | {"format": "phone"}}, "expected a country such as US"),
        ({"type": "array", "items": or_null(pattern="(")}, "items.pattern: no regular expression"),
        ({"type": "array", "items": or_null(minLength=3, maxLength=2)}, "3 is above maxLength 2"),
        ({"type": "array", "items": or_null(format="phone", **{"x-region": "usa"})}, "a country such as US"),
        ({"type": "array", "items": or_null(format="date", **{"x-relative-to": "name"})}, "name is no date field"),
        (TEXT | {"x-relative-to": "report_date"}, "only dates count from another field"),
        (TEXT | {"format": "date", "x-relative-to": "name"}, "name is no date field to count from; expected one of"),
        (TEXT | {"format": "date", "x-relative-to": "new"}, "new is no date field"),
        (TEXT | {"format": "date", "x-relative-to": "visits"}, "visits is no date field"),
        ({"$ref": "https://example.org/money.json"}, "expected a local reference"),
        ({"$ref": "#/$defs/nothing"}, "#/$defs/nothing is nowhere in this file"),
        ({"$ref": "#/properties/new"}, "never ends"),
        ({"$ref": "#/$defs/item", "minLength": 3}, "minLength stands here and, otherwise, in #/$defs/item"),
        ({"anyOf": [MONEY | {"required": ["amount"]}, {"type": "null"}]}, "money requires amount and currency"),
        ({"anyOf": [MONEY | {"additionalProperties": True}, {"type": "null"}]}, "money takes"),
        (MONEY | {"properties": {"amount": {"type": "string"}, "currency": {"enum": ["USD"]}}}, "expected type number"),
        (MONEY | {"properties": {"amount": {"type": "number"}, "currency": TEXT}}, "an enum of codes"),
        (
            MONEY | {"properties": {"amount": {"type": "number", "minimum": 2, "maximum": 1}, "currency": EURO}},
            "properties.amount.minimum: nothing lies between",
        ),
        (
            MONEY | {"properties": {"amount": {"type": "number"}, "currency": EURO | {"default": "USD"}}},
            "properties.currency.default: 'USD' is none of EUR",
        ),
        (TEXT | {"format": "date", "x-day-first": "yes"}, "x-day-first: expected true or false"),
        (TEXT | {"x-day-first": True}, "on a date field; found True on text"),
        ({"type": "strng"}, "no JSON Schema"),
        ({"type": "string", "minLength": -1}, "no JSON Schema"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_field_is_refused_at_its_line(property_: Any, expected: str) -> None:
    document = changed(new=property_)
    found = faults(document)
    assert len(found) == 1 and expected in found[0], found
    line = int(found[0].partition("  ")[0].rpartition(":")[2])
    lines = json.dumps(document, indent=2, ensure_ascii=False).splitlines()
    first = next(i for i, text in enumerate(lines, start=1) if text.startswith('    "new"'))
    after = next((i for i, text in enumerate(lines[first:], start=first + 1) if text.startswith("  }")), len(lines))
    assert first <= line <= after


def test_a_required_field_that_no_text_must_say_cannot_be_met() -> None:
    document = changed(ssn={"type": "string"})
    assert "ssn" in schema_from(document).names  # it may be left out
    document["required"].append("ssn")
    (found,) = faults(document)
    assert "required and never null" in found and "take it out of `required`" in found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"type": "array"}, "type: expected object, found array"),
        ({"properties": {}, "required": []}, "properties: none; expected at least one field"),
        ({"additionalProperties": True}, "additionalProperties: expected false"),
        ({"additionalProperties": None}, "no JSON Schema"),
        ({"required": ["name", "nme"]}, "nme is no property"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema: expected https://json-schema.org/draft/2020-12"),
        ({"patternProperties": {}}, "patternProperties: cannot be obeyed"),
        ({"allOf": [{}]}, "allOf: cannot be obeyed"),
        ({"properties": {" ": {"type": "boolean"}}, "required": []}, "a field needs a name"),
    ],
)  # fmt: skip
def test_what_a_document_must_say(change: dict[str, Any], expected: str) -> None:
    found = faults(DOCUMENT | change)
    assert any(expected in fault for fault in found), found


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(
        """{
        "type": "object",
        "required": ["gone"],
        "properties": {
            "a": {"type": "string", "pattern": "("},
            "b": {"enum": [1]},
            "c": {"type": "text"}
        }
        }""",
        encoding="utf-8",
    )
    with pytest.raises(SpecError) as caught:
        load_schema(file, "models/x/schema.json", "tailtune check x")
    lines = [str(fault) for fault in caught.value.faults]
    assert [one.partition("  ")[0].rpartition(":")[2] for one in lines] == ["1", "3", "5", "6", "7"]
    assert lines[2].startswith("models/x/schema.json:5  properties.a.pattern: no regular expression")
    assert caught.value.hint == "tailtune check x"


def test_a_file_is_read_as_json(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text("\ufeff" + json.dumps(DOCUMENT, indent="\t"), encoding="utf-8")
    read = load_schema(file, "schema.json", "x")
    assert read.document == DOCUMENT
    assert read == schema_from(DOCUMENT)


def test_the_samples_schema_is_what_it_says() -> None:
    file = Path(__file__).parents[3] / "models" / "insurance-claims" / "schema.json"
    schema = load_schema(file, "schema.json", "x")
    assert len(schema.fields) == 45
    assert schema["loss_date"].relative_to == "report_date"


_WORDS = [
    "type",
    "enum",
    "const",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "items",
    "anyOf",
]
_WORDS += [
    "properties",
    "required",
    "additionalProperties",
    "$ref",
    "x-normal",
    "x-relative-to",
    "x-region",
    "maxItems",
]
_VALUES = st.recursive(
    st.sampled_from(["string", "null", "array", "object", "integer", "date", "#/$defs/a", "USD", "a", "(", None, True])
    | st.integers(-2, 3)
    | st.floats(-2, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b"]), _VALUES, max_size=2), st.dictionaries(st.just("a"), _VALUES))
def test_any_document_is_read_or_refused(properties: dict[str, Any], defs: dict[str, Any]) -> None:
    document = {"type": "object", "additionalProperties": False, "properties": properties, "$defs": defs}
    try:
        read = schema_from(document)
    except SpecError as error:
        assert error.faults
    else:
        assert read.names == tuple(properties) != ()
