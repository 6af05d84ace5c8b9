"""From anywhere in a grammar a short way leads to a valid end, and looking for it moves nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from llguidance import LLMatcher

from predictors.prompted.local.grammars import object_of, tokens_of
from tailtune.predictors.prompted.local.grammar import Quoting, Ways, allowed, grammar_of

TOKENS = tokens_of()
WAYS = Ways(TOKENS)
SHAPES: dict[str, dict[str, Any]] = {
    "a string": {"type": "string"},
    "a string that must be long": {"type": "string", "minLength": 30},
    "a pattern": {"type": "string", "pattern": "^[A-HJ-NPR-Z0-9]{17}$"},
    "a pattern with a loop before its end": {"type": "string", "pattern": "^[ab]*c[0-9]+d$"},
    "letters beyond ASCII only": {"type": "string", "pattern": "^[ä-ü]{3}$"},
    "labels": {"enum": ["a", "ab", 'with "quotes"', "b\\c", "Ärger"]},
    "a number": {"type": "number", "minimum": 10.5},
    "an integer": {"type": "integer", "minimum": 1980, "maximum": 2027},
    "a flag": {"type": "boolean"},
    "null": {"type": "null"},
    "a list": {"type": "array", "items": {"type": "string", "minLength": 2}, "minItems": 2},
    "money or null": {
        "anyOf": [
            object_of(amount={"type": "number", "minimum": 0}, unit={"enum": ["USD", "EUR"]}),
            {"type": "null"},
        ]
    },
    "an object with what may be left out": {"type": "object", "properties": {"a": {"type": "string"}}},
}


def matcher_of(schema: dict[str, Any]) -> LLMatcher:
    grammar = grammar_of(schema, TOKENS)
    assert grammar.text is not None
    return LLMatcher(TOKENS, grammar.text, log_level=0)


@pytest.mark.parametrize("schema", SHAPES.values(), ids=SHAPES)
def test_the_way_from_the_start_is_a_valid_value(schema: dict[str, Any]) -> None:
    way = WAYS.on(matcher_of(schema), Quoting())
    assert way
    assert Draft202012Validator(schema).is_valid(json.loads(TOKENS.decode_bytes(way)))


@pytest.mark.parametrize(("schema", "text"), [(SHAPES["money or null"], "null"), (SHAPES["a string"], '""')])
def test_the_way_is_short(schema: dict[str, Any], text: str) -> None:
    way = WAYS.on(matcher_of(schema), Quoting())
    assert way is not None
    assert TOKENS.decode_bytes(way).decode() == text


def test_looking_leaves_the_matcher_where_it_was() -> None:
    matcher = matcher_of(object_of(a={"type": "string"}, b={"type": "integer"}))
    before = allowed(matcher).tolist()
    first = WAYS.on(matcher, Quoting())
    assert allowed(matcher).tolist() == before
    assert WAYS.on(matcher, Quoting()) == first
    assert matcher.consume_tokens(first)
    assert matcher.is_accepting()


@pytest.mark.parametrize("cut", range(1, 40))
def test_there_is_a_way_from_the_middle_too(cut: int) -> None:
    schema = object_of(a={"type": "string"}, b=SHAPES["money or null"], c=SHAPES["a list"])
    text = '{"a": "so \\" \\\\ €", "b": {"amount": 12.5, "unit": "USD"}, "c": ["xx", "yy", "zz"]}'
    matcher, start = matcher_of(schema), TOKENS.greedy_tokenize(text)[:cut]
    assert matcher.consume_tokens(start)
    way = WAYS.on(matcher, Quoting().after(TOKENS.decode_bytes(start)))
    assert way is not None
    whole = TOKENS.decode_bytes([*start, *way]).decode()
    assert Draft202012Validator(schema).is_valid(json.loads(whole))


def test_a_grammar_without_an_end_has_no_way() -> None:
    class Endless:
        def is_accepting(self) -> bool:
            return False

        def compute_ff_tokens(self) -> list[int]:
            return TOKENS.greedy_tokenize("a")

        def consume_tokens(self, tokens: list[int]) -> bool:
            return True

        def rollback(self, tokens: int) -> None:
            self.back = tokens

    endless = Endless()
    assert WAYS.on(endless, Quoting()) is None
    assert endless.back == 20_000


@pytest.mark.parametrize(
    ("text", "inside"),
    [("", False), ('"', True), ('"a"', False), ('"a\\"', True), ('"a\\\\"', False), ('{"a": "', True), ('"\\', True)],
)
def test_quoting_follows_json(text: str, inside: bool) -> None:
    assert Quoting().after(text.encode()).inside is inside
    step = Quoting()
    for char in text:
        step = step.after(char.encode())
    assert step.inside is inside
