"""What a field demands of a value: validators and hints, compiled once for each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailtune.config.formats import checker
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.schema_values import Hints, hints_of, value_schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_MOST = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """One per field.

    Attributes:
        hints: How it is read from a text.
        item: Validator of one value.
        whole: Validator of the property: of the list where it holds many, null included where it may be null.
        takes_null: Whether null is valid; a field that is not required may be left out instead.
    """

    hints: Hints
    item: Draft202012Validator
    whole: Draft202012Validator
    takes_null: bool

    def why_not(self, value: Any) -> str:
        """Why one value is not valid, in a few words."""
        for error in self.item.iter_errors(value):
            where = "".join(f".{part}" for part in error.absolute_path)
            return f"{where} {error.message}".strip()[:160]
        return ""


# id → (schema, rules). The schema is held, so that its id is not given to another one.
_made: dict[int, tuple[Mapping[str, Any], Rules]] = {}
_documents: dict[int, tuple[Mapping[str, Any], Draft202012Validator]] = {}


def rules_of(field: FieldSpec) -> Rules:
    """The rules of a field; compiled at the first call for its schema, which must not change after."""
    held = _made.get(id(field.subschema))
    if held is not None and held[0] is field.subschema:
        return held[1]
    if len(_made) >= _MOST:
        _made.clear()
    rules = _compiled(field)
    _made[id(field.subschema)] = (field.subschema, rules)
    return rules


def object_validator(schema: ObjectSchema) -> Draft202012Validator:
    """The validator of whole objects, formats included."""
    held = _documents.get(id(schema.document))
    if held is not None and held[0] is schema.document:
        return held[1]
    from jsonschema import Draft202012Validator

    if len(_documents) >= _MOST:
        _documents.clear()
    made = Draft202012Validator(schema.document, format_checker=checker())
    _documents[id(schema.document)] = (schema.document, made)
    return made


def valid(field: FieldSpec, value: Any) -> bool:
    """Whether a value is what the field's schema demands: a whole list where it holds many."""
    return bool(rules_of(field).whole.is_valid(value))


def object_valid(schema: ObjectSchema, values: Mapping[str, Any]) -> bool:
    """Whether an object is valid against the whole schema."""
    return bool(object_validator(schema).is_valid(dict(values)))


def _compiled(field: FieldSpec) -> Rules:
    from jsonschema import Draft202012Validator

    whole = Draft202012Validator(field.subschema, format_checker=checker())
    item = Draft202012Validator(value_schema(field), format_checker=checker())
    return Rules(hints_of(field), item, whole, bool(whole.is_valid(None)))
