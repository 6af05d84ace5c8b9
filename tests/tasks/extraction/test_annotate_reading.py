from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tailtune.core.errors import DataError
from tailtune.core.records import Span
from tailtune.services import sources
from tailtune.tasks.extraction.annotate import RawLabel, columns_of, reader
from tailtune.tasks.extraction.config import ExtractionData

ALL = ExtractionData(file="r.jsonl", entities="entities", fields="fields", intent="intent")


def read(tmp_path: Path, data: ExtractionData, *rows: dict[str, object]) -> list[RawLabel]:
    file = tmp_path / data.file
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    columns = sources.Columns(data.text, columns_of(data), reader(data))
    return [row.label for row in sources.read(file, columns, f"data/x/{data.file}")]


def faults(tmp_path: Path, data: ExtractionData, row: dict[str, object]) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(tmp_path, data, row)
    return [str(fault) for fault in caught.value.faults]


def test_spans_values_and_intent_are_read_as_they_stand(tmp_path: Path) -> None:
    row = {
        "text": "hit on 4 May",
        "entities": [{"start": 7, "end": 12, "label": "loss_date", "note": "more keys are nobody's business"}],
        "fields": {"loss_date": "2026-05-04", "injuries": False, "peril": None},
        "intent": " report ",
    }
    (label,) = read(tmp_path, ALL, row)
    assert label == RawLabel((Span(7, 12, "loss_date"),), {"loss_date": "2026-05-04", "injuries": False}, "report")
    assert label.names == {"loss_date", "injuries", "intent"}


def test_only_declared_columns_are_asked_for(tmp_path: Path) -> None:
    (label,) = read(tmp_path, ExtractionData(file="r.jsonl", intent="intent"), {"text": "hi", "intent": "greet"})
    assert label == RawLabel((), None, "greet")
    (label,) = read(tmp_path, ExtractionData(file="r.jsonl", entities="entities"), {"text": "hi", "entities": None})
    assert label == RawLabel()


def test_csv_holds_them_as_json(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text('text,fields\n"a ""b""","{""a"": 1}"\nc,\n', encoding="utf-8")
    data = ExtractionData(file="r.csv", fields="fields")
    columns = sources.Columns("text", columns_of(data), reader(data))
    labels = [row.label for row in sources.read(file, columns, "r.csv")]
    assert [label.values for label in labels] == [{"a": 1}, {}]


def test_at_least_one_column_holds_labels() -> None:
    with pytest.raises(ValueError, match="entities, fields or intent"):
        ExtractionData(file="r.jsonl")


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        ("no json", "`entities` is no JSON"),
        ({"start": 1}, "`entities` is dict"),
        ([[1, 2, "a"]], "expected a list of objects {start, end, label}"),
        ([{"start": 1.5, "end": 2, "label": "a"}], "`entities` holds dict"),
        ([{"start": True, "end": 2, "label": "a"}], "offsets are whole numbers"),
        ([{"start": 1, "end": 2}], "`entities` holds dict"),
        ([{"start": 1, "end": 2, "label": ""}], "`entities` holds dict"),
        ([{"start": 1, "end": 2, "label": " "}], "`entities` holds dict"),
    ],
)
def test_spans_of_the_wrong_shape_are_faults_of_the_file(tmp_path: Path, entities: object, expected: str) -> None:
    data = ExtractionData(file="r.jsonl", entities="entities")
    (fault,) = faults(tmp_path, data, {"text": "abc", "entities": entities})
    assert fault.startswith("data/x/r.jsonl:1  ")
    assert expected in fault


def test_fields_and_intents_of_the_wrong_shape_are_faults_of_the_file(tmp_path: Path) -> None:
    row = {"text": "abc", "entities": [], "fields": [1], "intent": None}
    assert faults(tmp_path, ALL, row) == [
        "data/x/r.jsonl:1  `fields` is list [1]; expected an object: field → value",
        "data/x/r.jsonl:1  `intent` is NoneType None; expected a word for the whole text",
    ]


def test_a_value_without_a_name_is_a_fault_of_the_file(tmp_path: Path) -> None:
    data = ExtractionData(file="r.jsonl", fields="fields")
    (fault,) = faults(tmp_path, data, {"text": "abc", "fields": {" ": "x", "": None}})
    assert fault == "data/x/r.jsonl:1  `fields` holds a value without a name; expected field → value"


def test_what_says_nothing_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(
        '{"text": "a", "fields": {"a": NaN, "b": " ", "c": [], "d": ["", null], "e": [" x", ""], "f": 0}}\n'
    )
    data = ExtractionData(file="r.jsonl", fields="fields")
    columns = sources.Columns("text", columns_of(data), reader(data))
    (row,) = sources.read(file, columns, "r.jsonl")
    assert row.label.values == {"e": [" x"], "f": 0}


def test_parquet_holds_dates_and_decimals(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "r.parquet"
    fields = [
        {"day": dt.date(2026, 5, 4), "at": dt.datetime(2026, 5, 4, 14, 5), "sum": Decimal("2.50"), "n": Decimal(3)}
    ]
    pq.write_table(pa.table({"text": ["a"], "fields": fields}), file)
    data = ExtractionData(file="r.parquet", fields="fields")
    (row,) = sources.read(file, sources.Columns("text", columns_of(data), reader(data)), "r.parquet")
    assert row.label.values == {"day": "2026-05-04", "at": "2026-05-04T14:05:00", "sum": 2.5, "n": 3}


@pytest.mark.parametrize("value", ["Infinity", "1" + "0" * 40])
def test_numbers_without_bounds_are_faults(tmp_path: Path, value: str) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(f'{{"text": "a", "fields": {{"a": {value}}}}}\n')
    data = ExtractionData(file="r.jsonl", fields="fields")
    with pytest.raises(DataError, match="a number without bounds"):
        list(sources.read(file, sources.Columns("text", columns_of(data), reader(data)), "r.jsonl"))


def test_half_a_surrogate_pair_is_a_fault(tmp_path: Path) -> None:
    data = ExtractionData(file="r.jsonl", fields="fields")
    (fault,) = faults(tmp_path, data, {"text": "a", "fields": {"a": "x \ud83d y"}})
    assert "half a surrogate pair" in fault
