"""Fields and language models: how a prompt describes them, the schema of an answer, and how a reply is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from tailtune.predictors.prompted.codec import Problem, Read, first_answer, objects_in
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema, value_schema, without_null
from tailtune.tasks.extraction.schema_reader import schema_from

_FORMATS = {"date", "email"}  # that constrained decoders know as well, and mean the same by
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"  # the format `time` would have decoders write seconds and an offset
_KEPT = {
    "string": ("type", "enum", "const", "pattern", "format"),
    "number": ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": ("type",),
}
_KEPT["integer"] = _KEPT["number"]
_LENGTHS = ("minLength", "maxLength")
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
        return "one of " + ", ".join(json.dumps(choice, ensure_ascii=False) for choice in field.choices)
    if field.kind == "money":
        codes = core["properties"]["currency"]["enum"]
        return f'{{"amount": number, "currency": one of {", ".join(codes)}}}'
    words = _WORDS[field.kind]
    if field.kind == "text" and "pattern" in core:
        return f"{words} like the pattern {core['pattern']}"
    low, high = core.get("minimum"), core.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    return f"{words}, at least {low}" if low is not None else f"{words}, at most {high}" if high is not None else words


def strict_schema(schema: ObjectSchema, described: bool = False, exact: bool = False) -> dict[str, Any]:
    """The schema of a reply as constrained decoding takes it: the strict subset that endpoints agree on.

    Every property is required; one that may be left out may be null instead. Nothing else is allowed. Keywords that
    decoders refuse are left out (`x-…`, lengths of strings, patterns that need more than a grammar): the scorer holds
    what they demand against the answer afterwards.

    Args:
        schema: Of the use case.
        described: Whether fields keep their descriptions. Endpoints count a schema as tokens of the prompt, which
            has the descriptions already.
        exact: Whether lengths of texts and lists without repeats are kept: a model in this process is held to them,
            and requests to endpoints go without.

    Source: OpenAI's guide to structured outputs, its section on supported schemas.
    """
    properties = {field.name: _strict(field, exact) for field in schema.fields}
    for field in schema.fields if described else ():
        properties[field.name] |= {"description": field.description} if field.description else {}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _strict(field: FieldSpec, exact: bool) -> dict[str, Any]:
    core = value_schema(field)
    value = _strict_value(core)
    if exact and "enum" not in value:
        value |= {word: core[word] for word in _LENGTHS if word in core}
    if field.many:
        listed: dict[str, Any] = {"type": "array", "items": value}
        whole = without_null(dict(field.subschema))[0] or {}
        words = ("maxItems", "uniqueItems") if exact else ("maxItems",)
        listed |= {word: whole[word] for word in words if word in whole}
        value = listed
    if not (field.rules.takes_null or (field.nullable and not field.many)):
        return value
    if "enum" in value:
        return {**value, "type": [value["type"], "null"], "enum": [*value["enum"], None]}
    if value["type"] in ("object", "array"):
        return {"anyOf": [value, {"type": "null"}]}
    return {**value, "type": [value["type"], "null"]}


def _strict_value(core: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one value, cut down to what decoders take."""
    if core["type"] == "object":  # money
        properties = {name: _strict_value(_typed(inner)) for name, inner in core["properties"].items()}
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


REASONING = "reasoning"
UNKNOWN = "no field of the schema"


class ObjectCodec:
    """One per schema: an object with all of its fields is what a reply should be, null where the text says nothing.

    Values stay as they were said: whether one has its field's format, and whether it says what was expected, are two
    questions, and the scorer asks both. Properties that the schema does not know are dropped, and told as reasons.

    Args:
        schema: What an object holds.
    """

    def __init__(self, schema: ObjectSchema) -> None:
        self._object, self._fields = schema, schema.fields
        self._strict = strict_schema(schema, exact=True)

    def variables(self) -> dict[str, Any]:
        """`fields`: name, description, kind, choices, and `form`, what a value looks like; `schema`: JSON text."""
        fields = [
            {
                "name": field.name,
                "description": field.description,
                "kind": field.kind,
                "choices": list(field.choices),
                "form": form(field),
            }
            for field in self._fields
        ]
        return {"fields": fields, "schema": json.dumps(strict_schema(self._object, described=True), ensure_ascii=False)}

    def schema(self, reasoning: bool) -> dict[str, Any]:
        """The strict form of the use case's schema; a field that is itself called `reasoning` comes first as it is."""
        if not reasoning or REASONING in self._strict["properties"]:
            return self._strict
        properties = {REASONING: {"type": "string"}, **self._strict["properties"]}
        return {**self._strict, "properties": properties, "required": list(properties)}

    def read(self, reply: str, text: str) -> Read:
        """The object in a reply: the last one that has a field of the schema."""
        answer = first_answer(reply)
        if not answer:
            return _unusable("empty")
        objects = objects_in(answer)
        names = self._object.names
        last = next((found for found in reversed(objects) if not found or any(name in found for name in names)), None)
        if last is None:
            return _unusable("not as the schema says" if objects else "no JSON")
        values = {field.name: last[field.name] for field in self._fields if _says(last, field)}
        known = {REASONING, *names}
        return Read(Extraction.of(values, reasons={name: UNKNOWN for name in last if name not in known}))

    def parse_label(self, text: str) -> Annotation:
        """An annotation from its JSON."""
        return Annotation.parse(text)

    def shown(self, label: Annotation) -> str:
        """Every field in the schema's order, null or an empty list where the row has no value."""
        values = label.values
        whole = {field.name: values.get(field.name, [] if _empty_list(field) else None) for field in self._fields}
        return json.dumps(whole, ensure_ascii=False)

    def keys(self, label: Annotation) -> tuple[str, ...]:
        """The fields that have a value."""
        return tuple(label.values)

    def card(self) -> dict[str, Any]:
        """The schema's document."""
        return {"kind": "object", "schema": dict(self._object.document)}

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> ObjectCodec:
        """The codec whose card this is.

        Raises:
            SpecError: The schema is none.
        """
        return cls(schema_from(card["schema"], "prompt.json", "tailtune run <use-case>"))


def _says(answer: Mapping[str, Any], field: FieldSpec) -> bool:
    """Whether an object says something of a field; null, where a field may only be left out, is leaving it out."""
    if field.name not in answer:
        return False
    return answer[field.name] is not None or field.rules.takes_null or not field.nullable


def _empty_list(field: FieldSpec) -> bool:
    return field.many and not field.rules.takes_null


def _unusable(problem: Problem) -> Read:
    """An extraction all the same, so that a served model has the same columns for every answer."""
    return Read(Extraction(None, math.nan, values={}), problem)
