"""How fields are told to a language model: the form of a value in words, and a schema that answers are held to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.schema_values import value_schema
from tailtune.tasks.extraction.values.normalise import rules_of

_FORMATS = {"date", "email"}  # that constrained decoders know as well, and mean the same by
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"  # the format `time` would have decoders write seconds and an offset
_KEPT = {
    "string": ("type", "enum", "const", "pattern", "format"),
    "number": ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": ("type",),
}
_KEPT["integer"] = _KEPT["number"]
# What grammars for decoding do not do: look around, refer back, name groups, edges of words, classes of Unicode.
_HARD = re.compile(r"\(\?(?!:)|\\[1-9]|\\[bBAZzpPuUN]|[*+?}]\+|[*+?}]\?")
_WORDS = {
    "text": "text",
    "number": "number",
    "integer": "whole number",
    "date": "date as YYYY-MM-DD",
    "time": "time of day as HH:MM",
    "email": "e-mail address",
    "phone": "phone number as +15550001234",
    "flag": "true or false",
}


def form(field: FieldSpec) -> str:
    """What a value looks like, in a few words: `date as YYYY-MM-DD`, `one of "a", "b"`."""
    core = value_schema(field)
    one = _form_of_one(field, core)
    return f"list of {one}, [] for none" if field.many else one


def _form_of_one(field: FieldSpec, core: Mapping[str, Any]) -> str:
    if field.kind == "choice":
        return "one of " + ", ".join(f'"{choice}"' for choice in field.choices)
    if field.kind == "money":
        codes = core["properties"]["currency"]["enum"]
        return f'{{"amount": number, "currency": one of {", ".join(codes)}}}'
    said = _WORDS[field.kind]
    if field.kind == "text" and "pattern" in core:
        return f"{said} like the pattern {core['pattern']}"
    low, high = core.get("minimum"), core.get("maximum")
    if low is not None and high is not None:
        return f"{said} from {low} to {high}"
    return f"{said}, at least {low}" if low is not None else f"{said}, at most {high}" if high is not None else said


def strict_schema(schema: ObjectSchema, described: bool = False) -> dict[str, Any]:
    """The schema of a reply as constrained decoding takes it: the strict subset that endpoints agree on.

    Every property is required; one that may be left out may be null instead. Nothing else is allowed. Keywords that
    decoders refuse are left out (`x-…`, lengths of strings, patterns that need more than a grammar): the scorer holds
    what they demand against the answer afterwards.

    Args:
        schema: Of the use case.
        described: Whether fields keep their descriptions. Endpoints count a schema as tokens of the prompt, which
            has the descriptions already.

    Source: OpenAI's guide to structured outputs, its section on supported schemas.
    """
    properties = {field.name: _strict(field) for field in schema.fields}
    for field in schema.fields if described else ():
        properties[field.name] |= {"description": field.description} if field.description else {}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _strict(field: FieldSpec) -> dict[str, Any]:
    one = _strict_value(value_schema(field))
    if field.many:
        held: dict[str, Any] = {"type": "array", "items": one}
        most = field.subschema.get("maxItems")
        if most is not None:
            held["maxItems"] = most
        one = held
    if not (rules_of(field).takes_null or (field.nullable and not field.many)):
        return one
    if "enum" in one:
        return {**one, "type": [one["type"], "null"], "enum": [*one["enum"], None]}
    if one["type"] in ("object", "array"):
        return {"anyOf": [one, {"type": "null"}]}
    return {**one, "type": [one["type"], "null"]}


def _strict_value(core: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one value, cut down to what decoders take."""
    if core["type"] == "object":  # money
        properties = {name: _strict_value(_typed(one)) for name, one in core["properties"].items()}
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    kept = {word: core[word] for word in _KEPT[core["type"]] if word in core}
    if "const" in kept:
        kept["enum"] = [kept.pop("const")]
    if "pattern" in kept and _HARD.search(kept["pattern"]):
        del kept["pattern"]
    if kept.get("format") == "time":
        kept.setdefault("pattern", _TIME)
    if "pattern" in kept or kept.get("format") not in _FORMATS:
        kept.pop("format", None)  # beside a pattern it says nothing new, and some decoders take one of the two
    return kept


def _typed(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "string", **schema} if "enum" in schema else dict(schema)
