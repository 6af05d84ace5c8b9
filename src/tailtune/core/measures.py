"""What quality is measured in: one name per measure, the same in reports, MLflow, terminal and page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """One per measure of quality; all are shares from 0 to 1, more is better.

    Attributes:
        name: In reports and MLflow.
        title: For people: a column heading, an axis.
        short: Where there is room for six letters.
        meaning: One sentence.
    """

    name: str
    title: str
    short: str
    meaning: str


_ALL = (
    Measure("accuracy", "accuracy", "acc", "Share of rows answered right."),
    Measure(
        "macro_f1", "macro F1", "F1", "Mean F1 over labels, or over fields; rare ones count as much as common ones."
    ),
    Measure("field_f1", "field F1", "F1", "Micro F1 over all field values: harmonic mean of precision and recall."),
    Measure("field_precision", "field precision", "prec", "Share of the given values that are right."),
    Measure("field_recall", "field recall", "recall", "Share of the expected values that are given."),
    Measure("field_accuracy", "field accuracy", "fields", "Share of fields, empty ones included, that are right."),
    Measure("exact_match", "whole object", "exact", "Share of rows in which every field is right."),
    Measure("span_f1", "span F1", "spans", "Micro F1 over stretches of text: start, end and field must be equal."),
    Measure("schema_valid", "schema-valid", "valid", "Share of rows whose answer is valid against the schema."),
    Measure("format_correct", "format correct", "format", "Share of the given values that have their field's format."),
    Measure("must_not_fail", "must not fail", "must", "Share of the rows that must not fail that are answered right."),
    Measure("value_correct", "value correct", "value", "Share of the given values that mean the right thing."),
)
MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}


_OF_ONE = {"recall": "Share of its rows, or values, that are answered right.", "f1": "Precision and recall together."}


def of_one(kind: str, name: str) -> str:
    """The measure of one label or field: `recall/fraud`, `f1/amount`."""
    return f"{kind}/{name}"


def measure_of(name: str) -> Measure | None:
    """What is known of a measure, one of a single label or field included; None of a strange one."""
    kind, _, about = name.partition("/")
    if not about or kind not in _OF_ONE:
        return MEASURES.get(name)
    title = f"{'F1' if kind == 'f1' else kind} of {about}"
    return Measure(name, title, about[:6], f"{title[0].upper()}{title[1:]}. {_OF_ONE[kind]}")


def title_of(name: str) -> str:
    """A measure for people; its name where nothing is known of it."""
    known = measure_of(name)
    return name if known is None else known.title
