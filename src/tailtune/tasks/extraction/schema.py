"""What an extracted object may be: the fields that `schema.json` (JSON Schema 2020-12) declares, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from tailtune.tasks.extraction.validator import validator_of

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

Kind = Literal["text", "number", "integer", "date", "time", "money", "phone", "email", "choice", "flag"]


@dataclass(frozen=True)
class FieldSpec:
    """One per property of the object.

    Attributes:
        name: The property.
        kind: How its value is found and normalised. `choice` (enum) and `flag` (boolean) are read from the whole text,
            all others stand in it as spans.
        subschema: The property's own JSON Schema, local references resolved.
        nullable: Whether null, or leaving it out, is valid: only then can the field stay empty.
        many: True for an array of values of the kind.
        choices: Values of a `choice`, in the schema's order, null left out; empty for other kinds.
        description: For people and prompts.
        relative_to: Date field that relative dates ("yesterday") count from, `x-relative-to` in the schema.
    """

    name: str
    kind: Kind
    subschema: Mapping[str, Any]
    nullable: bool = True
    many: bool = False
    choices: tuple[str, ...] = ()
    description: str = ""
    relative_to: str | None = None

    @property
    def spanned(self) -> bool:
        """Whether its value stands in the text as a span."""
        return self.kind not in ("choice", "flag")

    @cached_property
    def rules(self) -> FieldRules:
        """What it demands of a value, compiled at first use."""
        return FieldRules.of(self)


@dataclass(frozen=True)
class ObjectSchema:
    """One per extraction use case: the document and its properties as fields, in its order."""

    document: Mapping[str, Any]
    fields: tuple[FieldSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every field's name."""
        return tuple(field.name for field in self.fields)

    @property
    def spanned(self) -> tuple[FieldSpec, ...]:
        """Fields whose values stand in the text."""
        return tuple(field for field in self.fields if field.spanned)

    @property
    def classified(self) -> tuple[FieldSpec, ...]:
        """Fields whose values are chosen: enums and yes / no."""
        return tuple(field for field in self.fields if not field.spanned)

    def __getitem__(self, name: str) -> FieldSpec:
        """The field of a name.

        Raises:
            KeyError: There is no such field.
        """
        return self._by_name[name]

    @cached_property
    def validator(self) -> Draft202012Validator:
        """The validator of whole objects, formats included."""
        return validator_of(self.document)

    @cached_property
    def _by_name(self) -> dict[str, FieldSpec]:
        return {field.name: field for field in self.fields}


Problem = tuple[tuple[str | int, ...], str]
"""Where below the property, and what is wrong there."""
_SHAPES = "expected one schema and {type: null}; a value of several shapes cannot be read"
_WORDS = ("title", "description", "$comment")


@dataclass(frozen=True, slots=True)
class Hints:
    """One per field: what its schema says about reading a text, beyond what is valid.

    Attributes:
        upper: It is an id, valued in upper case (`x-normal: upper`).
        dashed: Its pattern holds dashes.
        region: Country of phone numbers without a country code, `x-region`.
        day_first: `5/12/2026` is 5 December, `x-day-first`.
        currencies: Codes that money may have.
        currency: The code of an amount that says none: the only one, or the `default` of `currency`. None refuses it.
    """

    upper: bool = False
    dashed: bool = False
    region: str = "US"
    day_first: bool = False
    currencies: tuple[str, ...] = ()
    currency: str | None = None


def hints_of(field: FieldSpec) -> Hints:
    """How a field's values are read from a text."""
    core = value_schema(field)
    currency = core["properties"]["currency"] if field.kind == "money" else {}
    codes = tuple(currency.get("enum", ()))
    return Hints(
        upper=core.get("x-normal") == "upper",
        dashed="-" in core.get("pattern", ""),
        region=core.get("x-region", "US"),
        day_first=bool(core.get("x-day-first")),
        currencies=codes,
        currency=currency.get("default", codes[0] if len(codes) == 1 else None),
    )


@dataclass(frozen=True, slots=True, eq=False)
class FieldRules:
    """One per field: what it demands of a value, compiled.

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

    @classmethod
    def of(cls, field: FieldSpec) -> FieldRules:
        """Compile a field's schema, which must not change after."""
        whole, item = validator_of(field.subschema), validator_of(value_schema(field))
        return cls(hints_of(field), item, whole, bool(whole.is_valid(None)))

    def why_not(self, value: Any) -> str:
        """Why one value is not valid, in a few words."""
        for error in self.item.iter_errors(value):
            where = "".join(f".{part}" for part in error.absolute_path)
            return f"{where} {error.message}".strip()[:160]
        return ""


def value_schema(field: FieldSpec) -> dict[str, Any]:
    """The JSON Schema of one value of a field: of one item where it holds many, and null taken out."""
    core, _ = without_null(dict(field.subschema))
    if core is not None and field.many:
        core, _ = item_schema(core)
    return core or {}


def item_schema(core: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The schema of one item of a list, null taken out; what a list's `x-` keywords say holds for its items.

    Returns:
        As `without_null`.
    """
    hints = {word: value for word, value in core.items() if word.startswith("x-")}
    item, problems = without_null(core["items"])
    return (None if item is None else hints | item), problems


def without_null(schema: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The schema of a value that is there: `null` taken out of type, enum and anyOf.

    Returns:
        The schema, None where its shapes are several; and what is wrong with it.
    """
    core = dict(schema)
    for word in ("anyOf", "oneOf"):
        if word in core:
            ways = [way for way in core.pop(word) if way != {"type": "null"}]
            if len(ways) != 1 or not isinstance(ways[0], dict):
                return None, [((word,), _SHAPES)]
            clash = [key for key in ways[0] if core.get(key, ways[0][key]) != ways[0][key] and key not in _WORDS]
            if clash:
                return None, [((clash[0],), f"stands here and, otherwise, in {word}")]
            core = {**ways[0], **core}
    if isinstance(core.get("type"), list):
        types = [name for name in core["type"] if name != "null"]
        if len(types) != 1:
            return None, [(("type",), f"expected one type beside null, found {', '.join(types) or 'none'}")]
        core["type"] = types[0]
    if isinstance(core.get("enum"), list):
        core["enum"] = [value for value in core["enum"] if value is not None]
    if "type" not in core and ("enum" in core or isinstance(core.get("const"), str)):
        core["type"] = "string"
    return core, []
