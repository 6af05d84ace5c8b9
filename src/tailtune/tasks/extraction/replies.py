"""Replies of language models to an extraction prompt: one object with the schema's fields."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from tailtune.predictors.prompted.codec import Problem, Read, first_answer, objects_in
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.asking import form, strict_schema
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema, schema_from
from tailtune.tasks.extraction.values.normalise import rules_of

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
        self._strict = strict_schema(schema)

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
        said = first_answer(reply)
        if not said:
            return _unusable("empty")
        objects = objects_in(said)
        names = self._object.names
        held = next((one for one in reversed(objects) if not one or any(name in one for name in names)), None)
        if held is None:
            return _unusable("not as the schema says" if objects else "no JSON")
        values = {field.name: held[field.name] for field in self._fields if _says(held, field)}
        known = {REASONING, *names}
        return Read(Extraction.of(values, reasons={name: UNKNOWN for name in held if name not in known}))

    def shown(self, label: str) -> str:
        """Every field in the schema's order, null or an empty list where the row has no value."""
        values = Annotation.decode(label).values
        held = {field.name: values.get(field.name, [] if _empty_list(field) else None) for field in self._fields}
        return json.dumps(held, ensure_ascii=False)

    def keys(self, label: str) -> tuple[str, ...]:
        """The fields that have a value."""
        return tuple(Annotation.decode(label).values)

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


def _says(held: Mapping[str, Any], field: FieldSpec) -> bool:
    """Whether an object says something of a field; null, where a field may only be left out, is leaving it out."""
    if field.name not in held:
        return False
    return held[field.name] is not None or rules_of(field).takes_null or not field.nullable


def _empty_list(field: FieldSpec) -> bool:
    return field.many and not rules_of(field).takes_null


def _unusable(problem: Problem) -> Read:
    """An extraction all the same, so that a served model has the same columns for every answer."""
    return Read(Extraction(None, math.nan, values={}), problem)
