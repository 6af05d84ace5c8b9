"""A whole `schema.json` read as fields, all its faults at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tailtune.config.json_lines import LinedJson
from tailtune.core.errors import Fault, SpecError
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.schema_rules import read_field

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TOP = {"$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "examples", "default"}
_TOP |= {"type", "properties", "required", "additionalProperties"}


def read_schema(lined: LinedJson) -> ObjectSchema:
    """Check a document and read its properties.

    Raises:
        SpecError: Every fault with its line.
    """
    document = lined.value
    faults = list(_meta_faults(lined))
    broken = {fault[1][1] for fault in faults if len(fault[1]) > 1 and fault[1][0] == "properties"}
    told = [fault for fault, _ in faults]
    shaped = isinstance(document.get("properties"), dict) and isinstance(document.get("required", []), list)
    told += _top_faults(lined)
    fields = []
    if shaped:
        for name in document["properties"]:
            if name not in broken:
                field, found = _field(lined, name)
                told += found
                fields += [field] if field is not None else []
        told += _relations(lined, fields)
    if told:
        raise SpecError(sorted(told, key=_place), lined.hint)
    return ObjectSchema(document, tuple(fields))


def _meta_faults(lined: LinedJson) -> Iterator[tuple[Fault, tuple[str | int, ...]]]:
    """What the meta-schema of 2020-12 says, at most one for each place."""
    from jsonschema import Draft202012Validator

    seen = set()
    for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(lined.value):
        at = tuple(error.absolute_path)
        if at not in seen:
            seen.add(at)
            yield lined.fault(at, f"no JSON Schema: {error.message[:200]}"), at


def _top_faults(lined: LinedJson) -> Iterator[Fault]:
    document = lined.value
    dialect = document.get("$schema", _DIALECT)
    if str(dialect).rstrip("#") != _DIALECT:
        yield lined.fault(("$schema",), f"expected {_DIALECT}, found {dialect}")
    if document.get("type") != "object":
        yield lined.fault(("type",), f"expected object, found {document.get('type', 'none')}")
    if not document.get("properties"):
        yield lined.fault(("properties",), "none; expected at least one field")
    if document.get("additionalProperties") is not False:
        yield lined.fault(("additionalProperties",), "expected false: an answer has the declared fields and no others")
    for word in document:
        if word not in _TOP and not word.startswith("x-"):
            yield lined.fault((word,), f"cannot be obeyed here; known are {', '.join(sorted(_TOP))}")
    required, properties = document.get("required", []), document.get("properties", {})
    if isinstance(required, list) and isinstance(properties, dict):
        for i, name in enumerate(required):
            if name not in properties:
                yield lined.fault(("required", i), f"{name} is no property, so no object can have it")


def _field(lined: LinedJson, name: str) -> tuple[FieldSpec | None, list[Fault]]:
    at = ("properties", name)
    if not name.strip():
        return None, [lined.fault(at, "a field needs a name")]
    try:
        schema = _resolved(lined.value["properties"][name], lined.value, ())
    except SpecError as error:
        return None, [lined.fault((*at, "$ref"), fault.what) for fault in error.faults]
    field, problems = read_field(name, schema, name in lined.value.get("required", []))
    return field, [lined.fault((*at, *below), what) for below, what in problems]


def _resolved(schema: Any, document: dict[str, Any], trail: tuple[str, ...]) -> Any:
    """A schema with what its references point at in their place; what stands beside a reference is added."""
    if isinstance(schema, list):
        return [_resolved(item, document, trail) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" not in schema:
        return {key: _resolved(value, document, trail) for key, value in schema.items()}
    target = schema["$ref"]
    if not isinstance(target, str) or not target.startswith("#/"):
        raise _lost(f"expected a local reference such as #/$defs/money, found {target!r}")
    if target in trail:
        raise _lost(f"{' → '.join((*trail, target))} never ends")
    pointed: Any = document
    for part in target[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(pointed, dict) or part not in pointed:
            raise _lost(f"{target} is nowhere in this file")
        pointed = pointed[part]
    held = _resolved(pointed, document, (*trail, target))
    beside = {key: _resolved(value, document, trail) for key, value in schema.items() if key != "$ref"}
    if not isinstance(held, dict):
        raise _lost(f"{target} is no schema of a value")
    clash = [key for key in beside if key in held and held[key] != beside[key] and key not in ("title", "description")]
    if clash:
        raise _lost(f"{clash[0]} stands here and, otherwise, in {target}")
    return held | beside


def _lost(what: str) -> SpecError:
    """A reference that cannot be followed; whose property it is, its reader knows."""
    return SpecError([Fault("$ref", what)])


def _relations(lined: LinedJson, fields: list[FieldSpec]) -> Iterator[Fault]:
    """`x-relative-to` must name another field that is one date."""
    dates = [field.name for field in fields if field.kind == "date" and not field.many]
    for field in fields:
        others = [name for name in dates if name != field.name]
        if field.relative_to is not None and field.kind == "date" and field.relative_to not in others:
            expected = f"expected one of {', '.join(others)}" if others else "there is no other date field"
            at = ("properties", field.name, "x-relative-to")
            yield lined.fault(at, f"{field.relative_to} is no date field to count from; {expected}")


def _place(fault: Fault) -> tuple[int, str]:
    line = fault.where.rpartition(":")[2]
    return (int(line) if line.isdigit() else 0), fault.what
