"""Curation and validation of an extraction: what is kept, what is put aside, and what stops the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.helpers import dropped, jsonl, perform, project
from tailtune.core.errors import DataError, GateError, SpecError
from tailtune.lifecycle.context import Context
from tailtune.services import store

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": ["string", "null"]},
        "email": {"type": ["string", "null"], "format": "email"},
        "peril": {"enum": ["fire", "water", None]},
    },
}
COLUMNS = {"entities": "entities", "fields": "fields"}


def row(n: int, **changes: Any) -> dict[str, Any]:
    text = f"Person{n} calls:  a {'fire' if n % 2 else 'flood'} on street {n * 37}"
    name = f"Person{n}"
    fields = {"name": name, "peril": "fire" if n % 2 else "water"}
    return {"text": text, "entities": [{"start": 0, "end": len(name), "label": "name"}], "fields": fields, **changes}


def make(root: Path, rows: list[dict[str, Any]], **sections: Any) -> Context:
    return project(root, {"r.jsonl": jsonl(rows)}, data=COLUMNS, schema=SCHEMA, **sections)


def test_rows_are_kept_or_put_aside_with_reason_and_origin(tmp_path: Path) -> None:
    outside = [{"start": 0, "end": 999, "label": "name"}]
    rows = [row(n) for n in range(30)] + [
        row(30, entities=outside),
        row(31, fields={"email": "nobody"}),
        row(32, text=""),
    ]
    context = make(tmp_path, rows)
    report = perform("curate", context)
    assert report.unit == "field"
    assert report.rows_read == 33 == report.rows_kept + sum(report.dropped.values())
    assert {"empty": 1, "span_outside": 1, "bad_value": 1}.items() <= report.dropped.items()
    assert report.labels == {"name": report.rows_kept, "peril": report.rows_kept}
    aside = {line["origin"]: (line["reason"], line["detail"]) for line in dropped(context)}
    assert aside["r.jsonl:31"][0] == "span_outside" and "999" in aside["r.jsonl:31"][1]
    assert aside["r.jsonl:32"][0] == "bad_value" and aside["r.jsonl:32"][1].startswith("email: ")


def test_spans_of_kept_rows_cover_what_they_did(tmp_path: Path) -> None:
    context = make(tmp_path, [row(n) for n in range(30)])
    perform("curate", context)
    case = context.case
    kept = store.read_rows(context.paths.rows("train"), "train", case.name, case.task.parse_label)
    assert kept
    for row_ in kept:
        assert [span.of(row_.text) for span in row_.label.spans] == [row_.label.values["name"]]
        assert "  " not in row_.text, "cleaned, and the spans moved along"


def test_unknown_fields_and_values_are_told_all_at_once(tmp_path: Path) -> None:
    rows = [row(n) for n in range(5)] + [row(5, fields={"nmae": "x"}), row(6, fields={"peril": "watr"})]
    with pytest.raises(DataError) as caught:
        perform("curate", make(tmp_path, rows))
    lines = [str(fault) for fault in caught.value.faults]
    assert len(lines) == 2
    assert "`nmae`" in lines[0] and "did you mean name?" in lines[0] and "r.jsonl:6" in lines[0]
    assert "`watr`" in lines[1] and "did you mean water?" in lines[1]


def test_scrubbing_what_the_schema_asks_for_stops_the_run(tmp_path: Path) -> None:
    context = make(tmp_path, [row(0)], curate={"scrub_pii": ["email"]})
    with pytest.raises(SpecError, match="email would scrub away the values of field `email`"):
        perform("curate", context)


def test_values_that_their_text_does_not_say_are_counted_and_close_the_gate(tmp_path: Path) -> None:
    rows = [row(n) for n in range(60)]
    for one in rows[:30]:
        one["fields"]["email"] = "ann@home.example"
    context = make(tmp_path, rows, validate={"min_rows": 10, "min_rows_per_field": 1})
    report = perform("curate", context)
    assert report.unaligned == {"email": report.labels["email"]}
    with pytest.raises(GateError) as caught:
        perform("validate", context)
    assert "of the values are not found in their text" in str(caught.value)
