"""JSON is found however it is wrapped, and nothing else is taken for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.prompted.codec import first_answer, objects_in

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab{}[]\"\\':,é漢😀\n", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab{}", max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text('abc}"', max_size=4), VALUES, max_size=4)


@given(st.lists(OBJECTS, max_size=3), st.booleans())
def test_every_object_is_found_between_words(objects: list[dict[str, Any]], ascii_only: bool) -> None:
    written = "\n".join(f"So:\n```json\n{json.dumps(one, ensure_ascii=ascii_only)}\n```" for one in objects)
    assert objects_in(f"I think, therefore {written} done.") == objects


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("", []),
        ("no braces", []),
        ("{'label': 'a'}", []),
        ('{"label": "a"', []),
        ('{"label": NaN}', []),
        ('{"label": Infinity} {"label": "b"}', [{"label": "b"}]),
        ('the set {a, b}: {"label": "a"}', [{"label": "a"}]),
        ('[{"label": "a"}, {"label": "b"}]', [{"label": "a"}, {"label": "b"}]),
        ('{"a": {"b": 1}}', [{"a": {"b": 1}}]),
        ('{"a": 1, "a": 1}', [{"a": 1}]),
        ('{"a": 1, "a": 2}', [{"a": [1, 2]}]),
        ("{" * 5000, []),
        ('{"a":' * 5000, []),
        ('{"n": 1e999}', []),
        (f'{{"n": 1{"0" * 400}}} {{"n": [-{"9" * 5000}]}}', []),
        (f'{{"n": 1{"0" * 30}, "m": -7, "k": 0.5}}', [{"n": 10**30, "m": -7, "k": 0.5}]),
        ('{"n": -1e999, "money": {"amount": 1}} {"n": 1e3}', [{"n": 1000.0}]),
        ('{"a": "two\nlines", "money": {}}', []),
        ('{"a": \'x\', "money": {}} {"a": 1}', [{"a": 1}]),
        ('{"a": NaN, "money": {"a": 3}}', []),
        ('{"a": "\\"}", "b": nil, "money": {"a": 3}} so {"a": 2}', [{"a": 2}]),
        ('it begins with {"label". {"label": "a"}', [{"label": "a"}]),
    ],
)
def test_what_is_an_object(reply: str, found: list[dict[str, Any]]) -> None:
    assert objects_in(reply) == found


def test_the_inside_of_an_object_that_does_not_end_is_none_of_its_own() -> None:
    """A cut-off claim must not turn into its first amount."""
    assert objects_in('{"claimed": {"amount": 3, "currency": "USD"}, "city": "Ber') == []


def test_half_a_character_can_be_written_to_a_file() -> None:
    (found,) = objects_in('{"name": "\\ud83d!", "\\udc00": ["\\ud83d\\ude00"]}')
    assert found == {"name": "?!", "?": ["😀"]}
    json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (' {"label": "a"}\n\nText:\nanother\nAnswer:\n{"label": "b"}', '{"label": "a"}'),
        ('Text:\nrepeated\nAnswer:\n{"label": "a"}', 'Text:\nrepeated\nAnswer:\n{"label": "a"}'),
        ("about the Text: it is a", "about the Text: it is a"),
    ],
)
def test_further_texts_that_a_model_makes_up_are_no_part_of_its_answer(reply: str, kept: str) -> None:
    assert first_answer(reply) == kept
