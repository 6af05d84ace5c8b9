"""A `schema.json` read as fields, or refused with all its faults at once.

Beside JSON Schema's own keywords, `x-relative-to`, `x-normal`, `x-region` and `x-day-first` say how a text is read; see
`FieldSpec` and `Hints`. Keywords that nothing here obeys are refused: a misspelt limit would be no limit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tailtune.config.formats import CHECKED
from tailtune.config.located import LinedJson
from tailtune.core.errors import Fault, SpecError
from tailtune.tasks.extraction.schema import FieldSpec, Kind, ObjectSchema, Problem, item_schema, without_null
from tailtune.tasks.extraction.validator import pattern_fault, validator_of
from tailtune.tasks.extraction.values.texts import is_country

_MOST_CHOICES, _MOST_RESOLVED, _LONGEST_TRAIL = 10_000, 100_000, 10
_NOTES = {
    "$comment", "$id", "$anchor", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
}  # fmt: skip
_HINTS = ("x-relative-to", "x-normal", "x-region", "x-day-first")
_STRING = {"type", "enum", "const", "format", "pattern", "minLength", "maxLength"}
_NUMBER = {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_ARRAY = {"type", "items", "minItems", "maxItems", "uniqueItems"}
_OBJECT = {"type", "properties", "required", "additionalProperties"}
_KNOWN = {"string": _STRING, "number": _NUMBER, "integer": _NUMBER, "boolean": {"type"}}
_KNOWN |= {"array": _ARRAY, "object": _OBJECT}
_PLAIN: dict[str, Kind] = {"boolean": "flag", "number": "number", "integer": "integer"}
_OF_FORMAT: dict[str, Kind] = {"date": "date", "time": "time", "email": "email", "phone": "phone"}
_MONEY = "an object of exactly amount (number) and currency (enum), both required, additionalProperties false"
_SHAPES = f"expected a string, number, integer, boolean, enum of strings, an array of one of these, or {_MONEY}"


def load_schema(path: Path, shown: str, hint: str | None) -> ObjectSchema:
    """Read and check a schema.

    Args:
        path: The file, JSON Schema 2020-12.
        shown: How errors name it (relative to the project root).
        hint: The next command an error shows.

    Raises:
        SpecError: Every fault with its line: no JSON Schema, a shape that no text is read into, or one that no object
            can meet.
    """
    return read_schema(LinedJson.read(path, shown, hint))


def schema_from(document: Mapping[str, Any], shown: str = "schema.json", hint: str | None = None) -> ObjectSchema:
    """Check a schema that is in memory: proposed, or read with an artifact.

    Raises:
        SpecError: As `load_schema`; lines count in the document written with an indent of 2.
    """
    return read_schema(LinedJson(json.dumps(document, indent=2, ensure_ascii=False), shown, hint))


def read_field(name: str, schema: Any, required: bool) -> tuple[FieldSpec | None, list[Problem]]:
    """The field that a property declares.

    Args:
        name: The property.
        schema: Its JSON Schema, local references resolved, known to satisfy the meta-schema.
        required: Whether the object must have it.

    Returns:
        The field, None where problems are too many to name one; and the problems.
    """
    if not isinstance(schema, dict):
        return None, [((), f"{str(schema).lower()} says nothing about the value; {_SHAPES}")]
    core, problems = without_null(schema)
    if core is None:
        return None, problems
    kind, many, found = _kind(core)
    problems += found
    if kind is None:
        return None, problems
    inner = (item_schema(core)[0] if many else core) or {}
    below = ("items",) if many else ()
    problems += [((*below, *at), what) for at, what in _limits(inner)]
    choices = _choices(core) if kind == "choice" else ()
    nullable = not required or _takes_null(schema)
    field = FieldSpec(
        name=name,
        kind=kind,
        subschema=schema,
        nullable=nullable,
        many=many,
        choices=choices,
        description=str(schema.get("description", core.get("description", ""))),
        relative_to=inner.get("x-relative-to"),
    )
    problems += _met(field, core, inner) if not problems else []
    return field, problems


def _takes_null(schema: Mapping[str, Any]) -> bool:
    return bool(validator_of(schema).is_valid(None))


def _kind(core: Mapping[str, Any]) -> tuple[Kind | None, bool, list[Problem]]:
    """The kind of field, whether it holds many, and what is wrong with the shape."""
    type_ = core.get("type")
    if type_ not in _KNOWN:
        named = "no type" if type_ is None else f"type {type_}"
        return None, False, [(("type",) if type_ else (), f"{named}; {_SHAPES}")]
    kind: Kind | None
    if "enum" in core or "const" in core:
        kind, found = _enum_kind(core)
    elif type_ == "array":
        kind, found = _item_kind(core)
    elif type_ == "object":
        found = list(_money(core))
        kind = None if found else "money"
    elif type_ == "string":
        kind, found = _string_kind(core)
    else:
        kind, found = _PLAIN[type_], []
    return kind, type_ == "array", [*_unknown(core, _KNOWN[type_] | {"enum", "const"}), *found]


def _enum_kind(core: Mapping[str, Any]) -> tuple[Kind | None, list[Problem]]:
    word = "enum" if "enum" in core else "const"
    values = core.get("enum", [core.get("const")])
    if not values:
        return None, [((word,), "empty: no value can be chosen")]
    if len(values) > _MOST_CHOICES:
        return None, [((word,), f"{len(values):,} values; expected at most {_MOST_CHOICES:,} to choose from")]
    strange = [repr(value) for value in values if not isinstance(value, str)]
    if core["type"] != "string" or strange:
        return None, [((word,), f"expected strings, found {', '.join(strange) or 'type ' + core['type']}")]
    return "choice", []


def _string_kind(core: Mapping[str, Any]) -> tuple[Kind | None, list[Problem]]:
    format_ = core.get("format")
    if format_ == "date-time":
        return None, [(("format",), "date-time stands nowhere in a text; use one field of format date and one of time")]
    if format_ is not None and format_ not in CHECKED:
        near = get_close_matches(str(format_), CHECKED, n=1)
        meant = f"did you mean {near[0]}?" if near else f"checked are {', '.join(CHECKED)}; say it with `pattern`"
        return None, [(("format",), f"{format_} is not checked here; {meant}")]
    return _OF_FORMAT.get(str(format_), "text"), []


def _item_kind(core: Mapping[str, Any]) -> tuple[Kind | None, list[Problem]]:
    items = core.get("items")
    if not isinstance(items, dict):
        return None, [((), "an array must say what it holds: `items`")]
    if core.get("minItems", 0) > 0:
        return None, [(("minItems",), "cannot be met by a text that names none; leave it out, the list is empty then")]
    if core.get("maxItems", 1) < 1:
        return None, [(("maxItems",), "nothing fits into the list")]
    inner, problems = item_schema(core)
    if inner is None:
        return None, [(("items", *at), what) for at, what in problems]
    kind, many, found = _kind(inner)
    problems += found
    if kind in ("choice", "flag") or many:
        shape = "lists" if many else "enum values" if kind == "choice" else "booleans"
        return None, [(("items",), f"an array of {shape} cannot be read; one boolean field for each, or strings")]
    return kind, [(("items", *at), what) for at, what in problems]


def _money(core: Mapping[str, Any]) -> Iterator[Problem]:
    properties = core.get("properties", {})
    if set(properties) != {"amount", "currency"}:
        yield (
            (),
            f"a nested object; the only one that can be read is money: {_MONEY}. Else: a field of its own for each",
        )
        return
    amount, currency = properties["amount"], properties["currency"]
    if not isinstance(amount, dict) or amount.get("type") not in ("number", "integer"):
        yield ("properties", "amount"), "expected type number"
    else:
        for at, what in (*_unknown(amount, _NUMBER), *_limits(amount)):
            yield ("properties", "amount", *at), what
    codes = currency.get("enum") if isinstance(currency, dict) else None
    for at, what in _unknown(currency, {"type", "enum", "const"}) if isinstance(currency, dict) else ():
        yield ("properties", "currency", *at), what
    if not codes or not all(isinstance(code, str) and re.fullmatch("[A-Z]{3}", code) for code in codes):
        yield ("properties", "currency"), "expected an enum of codes such as USD"
    elif len(codes) > _MOST_CHOICES:
        yield ("properties", "currency", "enum"), f"{len(codes):,} codes; expected at most {_MOST_CHOICES:,}"
    elif currency.get("default", codes[0]) not in codes:
        yield ("properties", "currency", "default"), f"{currency['default']!r} is none of {', '.join(codes)}"
    if set(core.get("required", ())) != {"amount", "currency"}:
        yield ("required",) if "required" in core else (), "money requires amount and currency"
    if core.get("additionalProperties") is not False:
        yield (), "money takes `additionalProperties: false`"


def _unknown(core: Mapping[str, Any], known: set[str]) -> Iterator[Problem]:
    for word in core:
        if word.startswith("x-"):
            near = get_close_matches(word, _HINTS, n=1, cutoff=0.85)
            if near and word not in _HINTS:
                yield (word,), f"is not read; did you mean {near[0]}?"
        elif word not in known and word not in _NOTES:
            near = get_close_matches(word, known | _NOTES, n=1, cutoff=0.75)
            meant = f"did you mean {near[0]}?" if near else f"expected some of {', '.join(sorted(known))}"
            yield (word,), f"cannot be obeyed here; {meant}"


def _limits(core: Mapping[str, Any]) -> Iterator[Problem]:
    """Ranges that nothing lies in, and patterns that are none."""
    low, high = core.get("minimum", -math.inf), core.get("maximum", math.inf)
    over, under = core.get("exclusiveMinimum", -math.inf), core.get("exclusiveMaximum", math.inf)
    empty = low > high or over >= under or low >= under or over >= high
    if core.get("type") == "integer" and not empty and max(low, over) > -math.inf and min(high, under) < math.inf:
        first = max(math.ceil(low) if low > -math.inf else low, math.floor(over) + 1 if over > -math.inf else over)
        empty = first > high or first >= under
    if empty:
        word = "minimum" if "minimum" in core else "exclusiveMinimum" if "exclusiveMinimum" in core else "type"
        yield (word,), "nothing lies between the lower and the upper bound"
    if core.get("minLength", 0) > core.get("maxLength", math.inf):
        yield ("minLength",), f"{core['minLength']} is above maxLength {core['maxLength']}"
    if "pattern" in core:
        fault = pattern_fault(core["pattern"])
        if fault:
            yield ("pattern",), fault


def _choices(core: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(core.get("enum", [core.get("const")])))


def _met(field: FieldSpec, core: Mapping[str, Any], inner: Mapping[str, Any]) -> Iterator[Problem]:
    """What no text could satisfy, and what `x-` keywords say that they cannot."""
    if field.spanned and not field.many and not field.nullable:
        yield (
            (),
            (
                "required and never null, so nothing is valid when a text does not say it; "
                'allow null ("type": ["…", "null"]) or take it out of `required`'
            ),
        )
    if field.kind == "choice":
        others = {word: rule for word, rule in core.items() if word != "enum"}  # its own values are in it
        validator = validator_of(others)
        for value in field.choices:
            for error in validator.iter_errors(value):
                word = str(error.validator)
                yield (word,), f"the enum's own {value!r} does not satisfy {word}"
    normal, region, first = inner.get("x-normal"), inner.get("x-region"), inner.get("x-day-first")
    if normal is not None and (normal != "upper" or field.kind != "text"):
        yield ("x-normal",), f"expected upper, on a text field; found {normal!r} on {field.kind}"
    if region is not None and (field.kind != "phone" or not is_country(region)):
        yield ("x-region",), f"expected a country such as US, on a phone field; found {region!r} on {field.kind}"
    if first is not None and (not isinstance(first, bool) or field.kind != "date"):
        yield ("x-day-first",), f"expected true or false, on a date field; found {first!r} on {field.kind}"
    if field.relative_to is not None and field.kind != "date":
        yield ("x-relative-to",), f"only dates count from another field; this one is {field.kind}"


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
    every_fault = [fault for fault, _ in faults]
    shaped = isinstance(document.get("properties"), dict) and isinstance(document.get("required", []), list)
    every_fault += _top_faults(lined)
    fields = []
    if shaped:
        references = _References(document)
        for name in document["properties"]:
            if name not in broken:
                field, found = _field(lined, references, name)
                every_fault += found
                fields += [field] if field is not None else []
        every_fault += _relations(lined, fields)
    if every_fault:
        raise SpecError(sorted(every_fault, key=_place), lined.hint)
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


def _field(lined: LinedJson, references: _References, name: str) -> tuple[FieldSpec | None, list[Fault]]:
    at = ("properties", name)
    if not name.strip():
        return None, [lined.fault(at, "a field needs a name")]
    try:
        schema = references.resolved(lined.value["properties"][name])
    except SpecError as error:
        return None, [lined.fault((*at, "$ref"), fault.what) for fault in error.faults]
    field, problems = read_field(name, schema, name in lined.value.get("required", []))
    return field, [lined.fault((*at, *below), what) for below, what in problems]


class _References:
    """One per document: puts what references point at in their place."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._values = 0

    def resolved(self, schema: Any, trail: tuple[str, ...] = ()) -> Any:
        """A schema without references; what stands beside one is added.

        Raises:
            SpecError: One that cannot be followed, or all together stand for too much.
        """
        self._values += 1
        if self._values > _MOST_RESOLVED:
            raise _lost(f"references stand for more than {_MOST_RESOLVED:,} values; point at fewer")
        if isinstance(schema, list):
            return [self.resolved(item, trail) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" not in schema:
            return {key: self.resolved(value, trail) for key, value in schema.items()}
        target = schema["$ref"]
        base = self.resolved(self._pointed(target, trail), (*trail, target))
        beside = {key: self.resolved(value, trail) for key, value in schema.items() if key != "$ref"}
        if not isinstance(base, dict):
            raise _lost(f"{target} is no schema of a value")
        free = ("title", "description")
        clash = [key for key in beside if key in base and base[key] != beside[key] and key not in free]
        if clash:
            raise _lost(f"{clash[0]} stands here and, otherwise, in {target}")
        return base | beside

    def _pointed(self, target: Any, trail: tuple[str, ...]) -> Any:
        if not isinstance(target, str) or not target.startswith("#/"):
            raise _lost(f"expected a local reference such as #/$defs/money, found {target!r}")
        if target in trail:
            raise _lost(f"{' → '.join((*trail, target))} never ends")
        if len(trail) == _LONGEST_TRAIL:
            raise _lost(f"more than {_LONGEST_TRAIL} references lead from one to the next")
        pointed: Any = self._document
        for step in target[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(pointed, dict) or key not in pointed:
                raise _lost(f"{target} is nowhere in this file")
            pointed = pointed[key]
        return pointed


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
