"""Schemas for tests: one with every kind of field, and random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import schema_from

MONEY: dict[str, Any] = {
    "type": "object",
    "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR", "GBP"]}},
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
TEXT = {"type": ["string", "null"]}
DATE = {"type": ["string", "null"], "format": "date"}
PROPERTIES: dict[str, dict[str, Any]] = {
    "name": TEXT | {"minLength": 2, "maxLength": 40},
    "policy": TEXT | {"pattern": r"^[A-Z]{2}\d{7}$", "x-normal": "upper"},
    "ref": TEXT | {"pattern": r"^CL-\d{2}-\d{5}$", "x-normal": "upper"},
    "report_date": DATE,
    "loss_date": DATE | {"x-relative-to": "report_date"},
    "birth_date": DATE | {"x-day-first": True},
    "loss_time": TEXT | {"format": "time", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"},
    "claimed": {"anyOf": [MONEY, {"type": "null"}]},
    "paid": {
        "anyOf": [
            MONEY | {"properties": {"amount": {"type": "integer"}, "currency": {"enum": ["EUR"]}}},
            {"type": "null"},
        ]
    },
    "share": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    "mileage": {"type": ["integer", "null"], "minimum": 0, "maximum": 999_999},
    "phone": TEXT | {"format": "phone", "x-region": "US"},
    "email": TEXT | {"format": "email"},
    "peril": {"enum": ["fire", "water", "total_loss", None]},
    "kind": {"enum": ["claim", "question"]},
    "injured": {"type": ["boolean", "null"]},
    "signed": {"type": "boolean"},
    "items": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 3, "uniqueItems": True},
    "visits": {"type": "array", "items": {"type": "string", "format": "date", "x-relative-to": "report_date"}},
}


def document(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


EVERY = schema_from(document(PROPERTIES))


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {"type": [draw(st.sampled_from(["number", "integer"])), "null"]}
    low = draw(st.integers(-5, 50))
    made |= draw(st.sampled_from([{}, {"minimum": low}, {"exclusiveMaximum": low}, {"multipleOf": 5}]))
    return made


_STRINGS = st.fixed_dictionaries(
    {"type": st.just(["string", "null"])},
    optional={
        "format": st.sampled_from(["date", "time", "email", "phone", "uuid"]),
        "pattern": st.sampled_from(["^[A-Z]", r"^\d+$", "^.{3,8}$", "-"]),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(3, 20),
    },
)
_CHOICES = st.lists(st.sampled_from(["fire", "water", "a", "B", "x y"]), min_size=1, unique=True)
_SINGLE = st.one_of(
    _STRINGS,
    _STRINGS.map(lambda one: one | {"x-normal": "upper"} if one.get("format") in (None, "uuid") else one),
    _numbers(),
    st.just({"anyOf": [MONEY, {"type": "null"}]}),
    _CHOICES.map(lambda values: {"enum": [*values, None]}),
    _CHOICES.map(lambda values: {"enum": values}),
    st.sampled_from([{"type": "boolean"}, {"type": ["boolean", "null"]}]),
)
_MANY = st.fixed_dictionaries(
    {"type": st.just("array"), "items": st.one_of(_STRINGS, _numbers(), st.just(MONEY))},
    optional={"maxItems": st.integers(1, 3), "uniqueItems": st.booleans()},
)


@st.composite
def schemas(draw: st.DrawFn) -> ObjectSchema:
    """Any schema: all kinds, required or not, dates that count from each other, in circles too."""
    properties = draw(
        st.dictionaries(st.sampled_from("abcdefgh"), st.one_of(_SINGLE, _MANY, st.just(DATE)), min_size=1)
    )
    dates = [name for name, one in properties.items() if one.get("format") == "date"]
    for name in dates:
        others = [other for other in dates if other != name]
        if others and draw(st.booleans()):
            properties[name] = properties[name] | {"x-relative-to": draw(st.sampled_from(others))}
    return schema_from(document(properties, draw(st.lists(st.sampled_from(sorted(properties)), unique=True))))
