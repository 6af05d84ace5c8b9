"""Rows that an annotation tool marks as rejected teach and test nothing; columns that only look so lose no row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tailtune.services import sources
from tailtune.services.sources import Columns, one_label

COLUMNS = Columns("text", ("label",), one_label("label"))
MARKED = [
    ("answer", "reject", "answer: reject"),
    ("answer", "ignore", "answer: ignore"),
    ("answer", "accept", ""),
    ("was_cancelled", True, "was_cancelled: true"),
    ("was_cancelled", False, ""),
    ("status", "discarded", "status: discarded"),
    ("status", "submitted", ""),
    ("status", ["discarded"], ""),
]


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
        file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", sorted(sources.FORMATS))
@pytest.mark.parametrize(("column", "value", "rejected"), MARKED)
def test_a_marked_row_is_left_out_whatever_its_label(
    tmp_path: Path, kind: str, column: str, value: Any, rejected: str
) -> None:
    label = "" if rejected else "b"
    file = write(tmp_path / f"f{kind}", [{"text": "one", "label": label, column: value}])
    every = list(sources.read(file, COLUMNS, "f", with_rejected=True))
    assert [(row.label, row.rejected) for row in every] == [(label, rejected)]
    assert [row.rejected for row in sources.read(file, COLUMNS, "f")] == ([] if rejected else [""])


def test_a_column_that_is_read_as_the_label_marks_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "f.csv", [{"text": "one", "answer": "reject"}, {"text": "two", "answer": "accept"}])
    columns = Columns("text", ("answer",), one_label("answer"))
    assert [row.label for row in sources.read(file, columns, "f")] == ["reject", "accept"]


def test_marks_can_be_made_to_count_for_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "f.csv", [{"text": "one", "label": "b", "status": "discarded"}])
    columns = Columns("text", ("label",), one_label("label"), drop_rejected=False)
    assert [row.label for row in sources.read(file, columns, "f")] == ["b"]


def test_rows_that_are_left_out_are_counted_by_their_mark(tmp_path: Path) -> None:
    marks = ["reject", "accept", "ignore", "reject"]
    file = write(tmp_path / "f.csv", [{"text": "one", "label": "b", "answer": mark} for mark in marks])
    rejected = Counter[str]()
    assert len(list(sources.read(file, COLUMNS, "f", rejected=rejected))) == 1
    assert sources.rejected_rows(rejected) == (
        "3 rows are marked as rejected and dropped (answer: reject 2, answer: ignore 1); to keep such rows: "
        "data.drop_rejected: false"
    )
    assert sources.rejected_rows({}) == ""
