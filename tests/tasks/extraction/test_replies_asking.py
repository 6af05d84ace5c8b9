"""Fields as a language model is told of them: in words, and as a schema that decoders take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from predictors.prompted.local.grammars import object_of, tokens_of
from project import ROOT

from tailtune.predictors.prompted.local.grammar import grammar_of
from tailtune.services.endpoint.dialect import response_format
from tailtune.tasks.extraction.replies import ObjectCodec, form, strict_schema
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema, schema_from
from tasks.extraction.values.schemas import EVERY, MONEY, PROPERTIES, document, schemas

KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "pattern", "format", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "maxItems", "description",
}  # fmt: skip


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and every schema inside."""
    yield schema
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for one in below + ([schema["items"]] if "items" in schema else []):
        yield from parts(one)


def strict(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = strict_schema(schema_from(document(properties, required)))["properties"]
    return made


@given(schemas())
def test_any_schema_becomes_one_that_decoders_take(schema: ObjectSchema) -> None:
    made = strict_schema(schema)
    jsonschema.Draft202012Validator.check_schema(made)
    assert list(made["properties"]) == list(schema.names)
    for part in parts(made):
        assert set(part) <= KEYWORDS
        assert "type" in part or "anyOf" in part
        if "properties" in part:
            assert part["required"] == list(part["properties"])
            assert part["additionalProperties"] is False


def test_lengths_and_repeats_are_kept_for_a_model_that_can_be_held_to_them() -> None:
    names = {"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 9}, "uniqueItems": True}
    schema = schema_from(document({"a": names, "b": {"anyOf": [names | {"maxItems": 3}, {"type": "null"}]}}, []))
    a, b = ObjectCodec(schema).schema(reasoning=False)["properties"].values()
    assert a == names
    assert b == {"anyOf": [names | {"maxItems": 3}, {"type": "null"}]}
    grammar = grammar_of(object_of(a=a, b=b), tokens_of())
    assert (grammar.unique, grammar.note) == (True, "")


@given(schemas())
def test_endpoints_get_no_keyword_that_they_refuse(schema: ObjectSchema) -> None:
    sent = response_format("json_schema", ObjectCodec(schema).schema(reasoning=False))
    assert sent is not None and sent["json_schema"]["schema"] == strict_schema(schema)


@given(schemas(), st.data())
def test_what_a_choice_may_be_is_what_the_schema_says(schema: ObjectSchema, data: st.DataObject) -> None:
    properties = strict_schema(schema)["properties"]
    for field in schema.fields:
        may_be_null = jsonschema.Draft202012Validator(properties[field.name]).is_valid(None)
        assert may_be_null == (field.nullable if not field.many else False)
        if field.choices:
            value = data.draw(st.sampled_from(field.choices))
            jsonschema.validate(value, properties[field.name])


def test_each_kind_of_field_in_the_strict_subset() -> None:
    made = strict(PROPERTIES)
    assert made["name"] == {"type": ["string", "null"]}, "lengths of strings are not taken"
    assert made["policy"] == {"type": ["string", "null"], "pattern": r"^[A-Z]{2}\d{7}$"}
    assert made["loss_date"] == {"type": ["string", "null"], "format": "date"}
    assert made["loss_time"] == {"type": ["string", "null"], "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
    assert made["phone"] == {"type": ["string", "null"]}, "no decoder knows a format phone"
    assert made["peril"] == {"type": ["string", "null"], "enum": ["fire", "water", "total_loss", None]}
    assert made["kind"] == {"type": "string", "enum": ["claim", "question"]}
    assert made["claimed"]["anyOf"][1] == {"type": "null"}
    assert made["claimed"]["anyOf"][0]["properties"]["amount"] == {"type": "number", "minimum": 0}
    assert made["claimed"]["anyOf"][0]["properties"]["currency"] == {"type": "string", "enum": ["USD", "EUR", "GBP"]}
    assert made["items"] == {"type": "array", "items": {"type": "string"}, "maxItems": 3}
    assert made["signed"] == {"type": "boolean"}


def test_a_time_without_a_pattern_gets_one() -> None:
    """The format `time` of decoders wants seconds and an offset."""
    made = strict({"at": {"type": ["string", "null"], "format": "time"}})["at"]
    assert jsonschema.Draft202012Validator(made).is_valid("14:05")
    assert not jsonschema.Draft202012Validator(made).is_valid("24:05")
    assert "format" not in made


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        (r"^[A-Z]{2}\d{7}$", True),
        (r"^(?:a|b)+\.\d*$", True),
        (r"^(?!x)a$", False),
        (r"(?<=a)b", False),
        (r"(?P<x>a)", False),
        (r"(a)\1", False),
        (r"\bword\b", False),
        (r"a+?b", False),
    ],
)
def test_only_patterns_that_a_grammar_can_say_are_kept(pattern: str, kept: bool) -> None:
    made = strict({"a": {"type": ["string", "null"], "pattern": pattern}})["a"]
    assert made.get("pattern") == (pattern if kept else None)


def test_what_may_be_left_out_may_be_null_instead() -> None:
    made = strict({"kind": {"enum": ["a", "b"]}, "n": {"type": "integer"}, "paid": MONEY, "many": {"type": "array",
                   "items": {"type": "string"}}}, [])  # fmt: skip
    for name in ("kind", "n", "paid"):
        assert jsonschema.Draft202012Validator(made[name]).is_valid(None), name
    assert not jsonschema.Draft202012Validator(made["many"]).is_valid(None), "an empty list says it"


def test_descriptions_are_kept_where_asked_for() -> None:
    schema = schema_from(document({"a": {"type": ["string", "null"], "description": "A thing."}}))
    assert "description" not in strict_schema(schema)["properties"]["a"]
    assert strict_schema(schema, described=True)["properties"]["a"]["description"] == "A thing."


def test_the_form_of_a_value_in_words() -> None:
    text = {field.name: form(field) for field in EVERY.fields}
    assert text["name"] == "text"
    assert text["policy"] == r"text like the pattern ^[A-Z]{2}\d{7}$"
    assert text["loss_date"] == "date as YYYY-MM-DD"
    assert text["claimed"] == '{"amount": number, "currency": one of USD, EUR, GBP}'
    assert text["share"] == "number from 0 to 100"
    assert text["peril"] == 'one of "fire", "water", "total_loss"'
    assert text["signed"] == "true or false"
    assert text["visits"] == "list of date as YYYY-MM-DD, [] for none"
    least = schema_from(document({"n": {"type": ["integer", "null"], "minimum": 3}, "m": {"type": ["number", "null"],
                                  "maximum": 2}}))  # fmt: skip
    assert [form(field) for field in least.fields] == ["whole number, at least 3", "number, at most 2"]
    odd = schema_from(document({"c": {"enum": ['9" pipe', "a\\b", "größer", None]}}))
    assert [form(field) for field in odd.fields] == [r'one of "9\" pipe", "a\\b", "größer"'], "as JSON writes them"


@given(schemas())
def test_every_field_has_a_form(schema: ObjectSchema) -> None:
    assert all(form(field) for field in schema.fields)


def test_the_shipped_schema_keeps_its_patterns() -> None:
    schema = load_schema(ROOT / "models" / "insurance-claims" / "schema.json", "schema.json", None)
    made = strict_schema(schema)["properties"]
    assert len(made) == 45
    assert made["vin"]["pattern"] == "^[A-HJ-NPR-Z0-9]{17}$"
    assert all(field.description for field in schema.fields), "prompts read them"
