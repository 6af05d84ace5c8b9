"""A small schema, and rules simple enough for a hand: ISO dates are well-formed, d/m/Y ones only mean the same."""

from __future__ import annotations

import re
from typing import Any

from tailtune.core.records import Span
from tailtune.tasks.extraction.annotations import Annotation, Extraction, Values
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.scoring import Rules

SCHEMA = ObjectSchema(
    {},
    (
        FieldSpec("loss_date", "date", {}),
        FieldSpec("report_date", "date", {}),
        FieldSpec("items", "text", {}, many=True),
        FieldSpec("peril", "choice", {}, choices=("fire", "hail")),
        FieldSpec("injured", "flag", {}),
    ),
)
ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


def valid(field: FieldSpec, value: Any) -> bool:
    if field.many:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if field.kind == "date":
        return isinstance(value, str) and ISO.fullmatch(value) is not None
    return value in field.choices if field.choices else isinstance(value, bool)


def means(field: FieldSpec, answered: Any, expected: Any) -> bool:
    if field.many:
        return [str(item).casefold() for item in answered] == [str(item).casefold() for item in expected]
    if field.kind == "date" and isinstance(answered, str) and "/" in answered:
        day, month, year = answered.split("/")
        return bool(f"{year}-{month}-{day}" == expected)
    return bool(type(answered) is type(expected) and answered == expected)


def object_valid(values: Values) -> bool:
    return all(value is None or valid(SCHEMA[name], value) for name, value in values.items() if name in SCHEMA.names)


RULES = Rules(means, valid, object_valid)


def gold(*spans: tuple[int, int, str], **values: Any) -> Annotation:
    return Annotation(values, tuple(Span(*span) for span in spans))


def answered(*spans: tuple[int, int, str], sure: float | None = None, **values: Any) -> Extraction:
    whole = {name: values.get(name) for name in SCHEMA.names} | values
    confidences = {} if sure is None else dict.fromkeys(SCHEMA.names, sure)
    return Extraction.of(whole, tuple(Span(*span) for span in spans), confidences)
