"""Fields and values that the schema does not have: all of them at once, with the rows that have them."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.core.errors import Fault
from tailtune.tasks.extraction.reading import INTENT, RawLabel
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.label_check import LabelCheck, NameCheck


class FieldCheck(LabelCheck):
    """One per reading of files: compares every row's fields, and the values of enums, with the schema.

    Args:
        schema: What is declared.
        declared_in: How faults name its file.
        data: How faults name the folder that origins are relative to.
    """

    def __init__(self, schema: ObjectSchema, declared_in: str, data: str) -> None:
        self._names = NameCheck(schema.names, declared_in, data, "field")
        self._fields = {field.name: field for field in schema.classified if field.choices}
        self._values = {
            name: NameCheck(field.choices, declared_in, data, f"{name} value") for name, field in self._fields.items()
        }
        self.seen = self._names.seen

    def add(self, label: str, origin: str) -> None:
        """Note a row's fields, and what its enums say."""
        from tailtune.tasks.extraction.values import conform

        raw = RawLabel.decode(label)
        for name in sorted(raw.names):
            self._names.add(name, origin)
        said = dict(raw.values or {}) | ({INTENT: raw.intent} if raw.intent else {})
        for name, value in said.items():
            if name in self._values:
                made = conform(self._fields[name], value)  # as curation reads it: `Hail` says `hail`
                self._values[name].add(str(made.value if made.ok else value), origin)

    def faults(self) -> Iterator[Fault]:
        """A fault per unknown field, then per unknown value."""
        yield from self._names.faults()
        for values in self._values.values():
            yield from values.faults()
