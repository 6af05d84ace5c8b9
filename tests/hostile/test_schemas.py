"""Schemas whose references double, whose enums are endless, whose patterns take ages: refused, or obeyed in time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tailtune.core.errors import SpecError
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.validator import matches, pattern_fault

TEXT = ["string", "null"]


def _schema(field: dict[str, Any], defs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {"a": field}, "$defs": defs or {}}


def _doubling(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, levels):
        both = {"$ref": f"#/$defs/d{level - 1}"}
        defs[f"d{level}"] = {"type": "object", "properties": {"x": both, "y": both}}
    return defs


CHAIN = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}"} for at in range(300)}
REFUSED = {
    "references that double, nine deep": (
        _schema({"type": "object", "properties": {str(at): {"$ref": "#/$defs/d9"} for at in range(90)}}, _doubling(10)),
        "stand for more than",
    ),
    "references that double, 25 deep": (_schema({"$ref": "#/$defs/d24"}, _doubling(25)), "lead from one to the next"),
    "a chain of 300 references": (_schema({"$ref": "#/$defs/d0"}, CHAIN), "lead from one to the next"),
    "20,000 values": (_schema({"type": "string", "enum": [str(at) for at in range(20_000)]}), "20,000 values"),
    "repetitions beside look-ahead": (_schema({"type": TEXT, "pattern": "^(?=x)(a+)+$"}), "may take ages"),
    "repetitions that are referred to": (_schema({"type": TEXT, "pattern": r"(a*)*\1b"}), "may take ages"),
    "alternatives repeated": (_schema({"type": TEXT, "pattern": "^(?!b)(a|a)*$"}), "may take ages"),
    "a pattern that multiplies": (_schema({"type": TEXT, "pattern": "((a{1,1000}){1,1000}){1,1000}"}), "may take ages"),
    "5,000 brackets": (_schema({"type": TEXT, "pattern": "(" * 5000 + ")" * 5000}), "at most 1,000"),
    "bounds beyond numbers": (_schema({"type": ["number", "null"], "minimum": 10**400}), "too large"),
}  # fmt: skip
SLOW = ["^(a+)+$", "^(a|aa)+$", "(a*)*b", r"^(\w+\s?)*$", "^(a|a?)+$", ".*.*.*.*.*=.*"]


@pytest.mark.parametrize(("document", "expected"), REFUSED.values(), ids=REFUSED)
def test_schemas_beyond_bounds_are_refused(document: dict[str, Any], expected: str) -> None:
    began = time.process_time()
    with pytest.raises(SpecError, match=expected) as caught:
        schema_from(document, "schema.json", "edit schema.json")
    assert len(str(caught.value)) < 1000
    assert time.process_time() - began < 5


@pytest.mark.parametrize("pattern", SLOW)
def test_patterns_take_linear_time(pattern: str) -> None:
    began = time.process_time()
    assert not schema_from(_schema({"type": TEXT, "pattern": pattern})).validator.is_valid({"a": "a" * 30_000 + "!\n"})
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^a.$", "a\ud800", True),
        ("^(?!x)[a-z]+$", "abc", True),
        ("^(?!x)[a-z]+$", "xbc", False),
        (r"^(\d)\1$", "77", True),
        ("^(?!x)[a-z]+$", "a" * 201, False),
    ],
)
def test_patterns_match_what_they_say(pattern: str, text: str, expected: bool) -> None:
    assert pattern_fault(pattern) == ""
    assert matches(pattern, text) is expected


def test_5_000_values_are_read_soon() -> None:
    began = time.process_time()
    values = [f"value {at}" for at in range(5_000)]
    assert (
        len(schema_from(json.loads(json.dumps(_schema({"type": "string", "enum": values})))).fields[0].choices) == 5000
    )
    assert time.process_time() - began < 5
