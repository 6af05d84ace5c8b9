"""A schema's grammar takes what the project's own checks take, and nothing that they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llguidance import LLMatcher

from predictors.prompted.local.grammars import claims_schema, object_of, tokens_of
from tailtune.config.formats import FORMATS
from tailtune.predictors.prompted.local.grammar import grammar_of, without_repeats

TOKENS = tokens_of()


def takes(schema: dict[str, Any], text: str) -> bool:
    grammar = grammar_of(schema, TOKENS)
    assert grammar.text is not None, grammar.note
    matcher = LLMatcher(TOKENS, grammar.text, log_level=0)
    return bool(matcher.consume_tokens(TOKENS.tokenize_str(text)) and matcher.is_accepting())


GOOD = {
    "date": ["2026-03-12", "2024-02-29", "2000-02-29", "0001-01-01"],
    "time": ["14:05", "23:59:59", "00:00:00.5Z", "07:30+02:00"],
    "email": ["a@b.co", "a.b@example.org", "anna+claims@mail.example.co.uk", "x" * 64 + "@b.co"],
    "phone": ["+14155550123", "+4930123456"],
}
BAD = {
    "date": ["2026-02-30", "2023-02-29", "1900-02-29", "2026-13-01", "0000-01-01", "12.03.2026"],
    "time": ["24:00", "7:30", "14:60", "noon"],
    "email": ["a@b", "a..b@c.de", ".a@b.co", "a b@c.de", "a@b..co", "x" * 65 + "@b.co"],
    "phone": ["14155550123", "+0415555", "+1 415 555"],
}


@pytest.mark.parametrize("format_", FORMATS)
def test_formats_are_those_of_the_schema_checks(format_: str) -> None:
    schema = {"type": "string", "format": format_}
    for text in GOOD[format_]:
        assert FORMATS[format_](text)
        assert takes(schema, json.dumps(text)), text
    for text in BAD[format_]:
        assert not FORMATS[format_](text)
        assert not takes(schema, json.dumps(text)), text


def test_a_format_and_a_pattern_hold_together() -> None:
    schema = {"type": ["string", "null"], "format": "time", "pattern": "^([01]\\d|2[0-3]):[0-5]\\d$"}
    assert takes(schema, '"14:05"')
    assert takes(schema, "null")
    assert not takes(schema, '"14:05:00"')


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "number"}, ["1", "-2.5", "0"], ["1" + "0" * 30, "1e400", "NaN", "01"]),
        ({"type": "integer", "minimum": 3, "maximum": 40}, ["3", "40"], ["2", "41", "3.0"]),
        ({"type": "string"}, ['"a\\nb"', '"a\\"b"', '"ä€"'], ['"\\u0041"', '"\\ud800"', '"\n"', '"a']),
        ({"type": "string", "maxLength": 3}, ['"äöü"'], ['"abcd"']),
        ({"enum": ["a b", "c", None]}, ['"a b"', '"c"', "null"], ['"a"', '"d"']),
        (object_of(a={"type": "integer"}, b={"type": "boolean"}), ['{"a": 1, "b": true}'], ['{"a": 1}', '{"b":true}']),
        ({"type": "array", "items": {"type": "null"}}, ["[]", "[null, null]"], ["[null,", "[ ]"]),
    ],
)
def test_values_are_json_as_examples_write_it(schema: dict[str, Any], good: list[str], bad: list[str]) -> None:
    assert all(takes(schema, text) for text in good)
    assert not any(takes(schema, text) for text in bad)


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = object_of(**{"x-rays": {"type": "boolean"}, "format": {"type": "string"}, "uniqueItems": {"type": "null"}})
    assert takes(schema, '{"x-rays": true, "format": "a", "uniqueItems": null}')


def test_the_claims_schema_is_held_to_whole() -> None:
    grammar = grammar_of(claims_schema(), TOKENS)
    assert grammar.text is not None
    assert grammar.note == ""
    assert grammar.unique


def test_a_pattern_that_looks_around_is_left_out_and_told() -> None:
    schema = object_of(a={"type": "string", "pattern": "^(?!x)y$"}, b={"type": "integer"})
    grammar = grammar_of(schema, TOKENS)
    assert grammar.note.startswith("not held to the schema: patterns (")
    assert takes(schema, '{"a": "any", "b": 1}')
    assert not takes(schema, '{"a": "any", "b": "1"}')


def test_a_property_called_pattern_outlives_that() -> None:
    schema = object_of(pattern={"type": "string"}, a={"type": "string", "pattern": "^(?=x)y$"})
    assert takes(schema, '{"pattern": "p", "a": "any"}')
    assert not takes(schema, '{"a": "any"}')


def test_what_cannot_be_held_to_at_all_is_told() -> None:
    grammar = grammar_of({"type": "string", "minLength": 3, "maxLength": 2}, TOKENS)
    assert grammar.text is None
    assert grammar.note.startswith("not held to the schema: ")


def test_repeats_are_dropped_where_a_list_must_have_none() -> None:
    names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    schema = object_of(a=names, b={"type": "array", "items": {"type": "string"}}, c={"$ref": "#/$defs/names"})
    schema["$defs"] = {"names": {"anyOf": [{"type": "null"}, names]}}
    text = '{"a": ["x", "y", "x"], "b": ["x", "x"], "c": ["ä", "ä"]}'
    assert without_repeats(schema, text) == ('{"a": ["x", "y"], "b": ["x", "x"], "c": ["ä"]}', True)
    untouched = '{"a": ["x"], "b": [], "c": null}'
    assert without_repeats(schema, untouched) == (untouched, False)
