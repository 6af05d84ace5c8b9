"""An annotation is a value: equal, hashed and written by its canonical JSON."""

from __future__ import annotations

from pathlib import Path

from tailtune.core.records import Row, Span
from tailtune.services import store
from tailtune.tasks.extraction.annotations import Annotation

SPANS = (Span(0, 3, "name"), Span(8, 12, "loss_date"))


def test_text_and_annotation_come_from_each_other() -> None:
    annotation = Annotation({"peril": "hail", "name": "Zoë", "items": ["roof", "car"], "sum": 2.5}, SPANS)
    text = str(annotation)
    assert text == (
        '{"values":{"items":["roof","car"],"name":"Zoë","peril":"hail","sum":2.5},'
        '"spans":[[0,3,"name"],[8,12,"loss_date"]]}'
    )
    read = Annotation.parse(text)
    assert (read, str(read), list(read.values), read.spans) == (annotation, text, list(annotation.values), SPANS)


def test_equality_is_that_of_the_text() -> None:
    assert Annotation({"a": "x", "b": "y"}) == Annotation({"b": "y", "a": "x"})
    assert len({Annotation({"a": [1]}), Annotation({"a": [1]}), Annotation({"a": [2]})}) == 2
    assert Annotation({"a": 1}) != Annotation({"a": True})
    assert Annotation({"a": 1}) != Annotation({"a": 1.0})
    assert Annotation({}) != Annotation({}, SPANS)
    assert Annotation({}) != "{}"


def test_rows_come_back_from_parquet_with_the_same_digest(tmp_path: Path) -> None:
    rows = [Row("1", "Ada on 4 May", Annotation({"name": "Ada"}, SPANS), "r.jsonl:1", "train")]
    store.write_rows(tmp_path / "train.parquet", [rows])
    read = store.read_rows(tmp_path / "train.parquet", "train", "x", Annotation.parse)
    assert read == rows and store.rows_digest(read) == store.rows_digest(rows)
    (text,) = store.read_rows(tmp_path / "train.parquet", "train", "x")
    assert text.label == str(rows[0].label)
