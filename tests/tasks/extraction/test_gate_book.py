from __future__ import annotations

from tailtune.core.records import Span
from tailtune.tasks.extraction.annotate import RawLabel
from tailtune.tasks.extraction.gate import FieldCheck
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema

SCHEMA = ObjectSchema(
    {},
    (
        FieldSpec("loss_date", "date", {}),
        FieldSpec("peril", "choice", {"enum": ["fire", "water"]}, choices=("fire", "water")),
        FieldSpec("intent", "choice", {"enum": ["report", "ask"]}, choices=("report", "ask")),
        FieldSpec("injuries", "flag", {}),
    ),
)


def faults(*labels: RawLabel) -> list[str]:
    check = FieldCheck(SCHEMA, "models/x/schema.json", "data/x")
    for line, label in enumerate(labels, 1):
        check.add(label, f"r.jsonl:{line}")
    return [str(fault) for fault in check.faults()]


def test_declared_fields_and_values_are_counted() -> None:
    check = FieldCheck(SCHEMA, "s", "d")
    label = RawLabel((Span(0, 1, "loss_date"), Span(2, 3, "loss_date")), {"peril": "fire"}, "ask")
    check.add(label, "r.jsonl:1")
    assert dict(check.seen) == {"intent": 1, "loss_date": 1, "peril": 1}
    assert list(check.faults()) == []


def test_a_field_that_the_schema_lacks_is_told_with_the_nearest() -> None:
    found = faults(RawLabel((Span(0, 1, "los_date"),)), RawLabel((), {"colour": "red"}))
    assert found == [
        "data/x/r.jsonl:1  field `los_date` is not in models/x/schema.json; did you mean loss_date? (1 row: r.jsonl:1)",
        "data/x/r.jsonl:2  field `colour` is not in models/x/schema.json, which has 4 fields (1 row: r.jsonl:2)",
    ]


def test_a_value_that_the_enum_lacks_is_told_with_the_nearest() -> None:
    assert faults(RawLabel((), {"peril": "watr", "injuries": True}), RawLabel((), None, "shout")) == [
        "data/x/r.jsonl:1  peril value `watr` is not in models/x/schema.json; did you mean water? (1 row: r.jsonl:1)",
        "data/x/r.jsonl:2  intent value `shout` is not in models/x/schema.json, which has 2 intent values "
        "(1 row: r.jsonl:2)",
    ]


def test_a_value_is_read_as_curation_reads_it() -> None:
    assert faults(RawLabel((), {"peril": " Fire"})) == []
