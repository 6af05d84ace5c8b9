"""What an extracted object may be: `schema.json` (JSON Schema 2020-12) read as fields, or refused with its faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

Kind = Literal["text", "number", "integer", "date", "time", "money", "phone", "email", "choice", "flag"]


@dataclass(frozen=True, slots=True)
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
    def _by_name(self) -> dict[str, FieldSpec]:
        return {field.name: field for field in self.fields}


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
    from tailtune.config.json_lines import LinedJson
    from tailtune.tasks.extraction.schema_reader import read_schema  # jsonschema takes 0.1 s to import

    return read_schema(LinedJson.read(path, shown, hint))


def schema_from(document: Mapping[str, Any], shown: str = "schema.json", hint: str | None = None) -> ObjectSchema:
    """Check a schema that is in memory: proposed, or read with an artifact.

    Raises:
        SpecError: As `load_schema`; lines count in the document written with an indent of 2.
    """
    from tailtune.config.json_lines import LinedJson
    from tailtune.tasks.extraction.schema_reader import read_schema

    return read_schema(LinedJson(json.dumps(document, indent=2, ensure_ascii=False), shown, hint))
