"""What rows must satisfy: declared fields and values in raw rows; valid and disjoint ones in curated rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tailtune.core.errors import Fault
from tailtune.core.figures import share
from tailtune.core.records import Row, Span
from tailtune.tasks.base import COUNTS, Expectation, SuiteTables, expect_column
from tailtune.tasks.extraction.annotate import RawLabel
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.config import ExtractionValidate
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.values import conform, valid
from tailtune.tasks.label_check import LabelCheck, NameCheck

if TYPE_CHECKING:
    import pandas as pd


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

    def add(self, label: RawLabel, origin: str) -> None:
        """Note a row's fields, and what its enums say."""
        for name in sorted(label.names):
            self._names.add(name, origin)
        for name, value in label.labelled.items():
            if name in self._values:
                made = conform(self._fields[name], value)  # as curation reads it: `Hail` says `hail`
                self._values[name].add(str(made.value if made.ok else value), origin)

    def faults(self) -> Iterator[Fault]:
        """A fault per unknown field, then per unknown value."""
        yield from self._names.faults()
        for values in self._values.values():
            yield from values.faults()


GRAINS = {
    "spans": "One per span of a curated row.",
    "values": "One per value of a curated row.",
    "fields": "One per field of the schema.",
    "alignment": "One for all values that must stand in their text.",
}
_NULL = "expect_column_values_to_be_null"
_BETWEEN = "expect_column_values_to_be_between"


def expectations(schema: ObjectSchema, file: str, spec: ExtractionValidate) -> Iterator[Expectation]:
    """The part of the suite about spans and values.

    Args:
        schema: The fields.
        file: How messages name its file.
        spec: What rows must satisfy.
    """
    names = list(schema.names)
    known = f"is one of the {len(names)} fields in {file}."
    in_set = "expect_column_values_to_be_in_set"
    yield expect_column("spans", in_set, "field", f"What a span is about {known}", value_set=names)
    yield expect_column("spans", _BETWEEN, "start", "Every span begins inside its text.", min_value=0)
    yield expect_column("spans", _BETWEEN, "left", "Every span ends inside its text.", min_value=0)
    yield expect_column("spans", _BETWEEN, "length", "Every span covers something.", min_value=1)
    yield expect_column("spans", _NULL, "overlaps", "No two spans of a row overlap or cross.")
    yield expect_column("values", in_set, "field", f"What a value is of {known}", value_set=names)
    yield expect_column("values", _NULL, "invalid", f"Every value is valid against its field in {file}.")
    yield expect_column(
        "alignment",
        _BETWEEN,
        "unaligned_share",
        f"At most {share(spec.max_unaligned_share)} of the values are not found in their text.",
        max_value=spec.max_unaligned_share,
    )
    yield expect_column(
        "fields",
        _BETWEEN,
        "train_rows",
        f"Every field has a value in at least {spec.min_rows_per_field} train rows.",
        min_value=spec.min_rows_per_field,
    )


def tables(schema: ObjectSchema, rows: Sequence[Row[Annotation]]) -> SuiteTables:
    """The tables that those expectations are about."""
    import pandas as pd

    fields = {field.name: field for field in schema.fields}
    spans: list[tuple[str, str, int, int, int, str | None]] = []
    values: list[tuple[str, str, str | None]] = []
    counts: Counter[str] = Counter()
    spanned = missing = 0
    for row in rows:
        spans += [(row.origin, *facts) for facts in _spans(row.text, row.label.spans)]
        found = {span.label for span in row.label.spans}
        for name, value in row.label.values.items():
            field = fields.get(name)
            wrong = None if field is None or valid(field, value) else str(value)
            values.append((row.origin, name, wrong))
            counts[name] += row.split == "train"
            if field is not None and field.spanned:
                spanned += 1
                missing += name not in found
    share = missing / spanned if spanned else 0.0
    train = [counts[name] for name in schema.names]
    counted = [f"{name} ({n} train rows)" for name, n in zip(schema.names, train, strict=True)]
    frames = {
        "spans": _frame(spans, ("origin", "field", "start", "left", "length", "overlaps")),
        "values": _frame(values, ("origin", "field", "invalid")),
        "fields": pd.DataFrame({"field": list(schema.names), "train_rows": train, COUNTS: counted}),
        "alignment": pd.DataFrame(
            {
                "unaligned_share": [share],
                COUNTS: [f"{missing:,} of {spanned:,} values not found in their text"],
            }
        ),
    }
    return SuiteTables(GRAINS, frames)


def _spans(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, int, int, int, str | None]]:
    """For each span: field, start, characters left after it, characters covered, and which earlier one it overlaps."""
    reached, owner = 0, ""
    for span in sorted(spans):
        overlapped = owner if span.start < reached else None
        yield span.label, span.start, len(text) - span.end, span.end - span.start, overlapped
        if span.end > reached:
            reached, owner = span.end, span.label


def _frame(rows: Sequence[tuple[object, ...]], names: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(names))
    for name in ("overlaps", "invalid"):
        if name in names:
            frame[name] = frame[name].astype(object)
    return frame
