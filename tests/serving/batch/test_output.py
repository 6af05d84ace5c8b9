"""Every column of the input comes out again, with its answer beside it, whatever the two kinds of files are."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tailtune.core.errors import DataError, UsageError
from tailtune.serving.batch.kept import KeptAnswer
from tailtune.serving.batch.output import Output
from tailtune.serving.batch.source import Source

LABELS = (KeptAnswer("billing", 0.25), KeptAnswer(None, None))
OBJECTS = (KeptAnswer('{"amount":3}', 0.5, '{"amount":0.5}', '{"who":"missing"}'), KeptAnswer(None, None, "{}", "{}"))


def write(
    source: Path, out: Path, answers: Sequence[KeptAnswer] = LABELS, prefix: str = "", spreadsheet: bool = False
) -> Path:
    opened = Source(source, "text")
    *_, survey = opened.survey(opened.faults())
    task = "classification" if answers[0].confidences is None else "extraction"
    Output(opened, survey.columns, task, prefix, spreadsheet).write(out, out.suffix, iter(answers))
    return out


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "in.csv"
    file.write_bytes('\ufefftext,"a ""b"""\n"=1+1,\r\nnext",ä\n,-2\n'.encode())
    return file


def test_csv_to_csv(table: Path, tmp_path: Path) -> None:
    out = write(table, tmp_path / "out.csv")
    with out.open(encoding="utf-8", newline="") as written:
        assert list(csv.reader(written, strict=True)) == [
            ["text", 'a "b"', "answer", "confidence"],
            ["=1+1,\r\nnext", "ä", "billing", "0.25"],
            ["", "-2", "", ""],
        ]


def test_csv_for_a_spreadsheet_computes_nothing(table: Path, tmp_path: Path) -> None:
    out = write(table, tmp_path / "out.csv", spreadsheet=True)
    with out.open(encoding="utf-8-sig", newline="") as written:
        rows = list(csv.reader(written, strict=True))
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [row[:2] for row in rows[1:]] == [["'=1+1,\r\nnext", "ä"], ["", "'-2"]]
    assert rows[1][3] == "0.25"


def test_csv_to_jsonl_and_parquet(table: Path, tmp_path: Path) -> None:
    expected = [
        {"text": "=1+1,\r\nnext", 'a "b"': "ä", "new_answer": "billing", "new_confidence": 0.25},
        {"text": "", 'a "b"': "-2", "new_answer": None, "new_confidence": None},
    ]
    assert lines(write(table, tmp_path / "out.jsonl", prefix="new_")) == expected
    assert pq.read_table(write(table, tmp_path / "out.parquet", prefix="new_")).to_pylist() == expected


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    rows = [
        '{"n": 1, "text": "half \\ud800", "mixed": 1, "deep": {"a": [1]}, "yes": true, "x": NaN}',
        '{"text": "b", "mixed": "1", "n": 2.5, "big": 99999999999999999999}',
    ]
    file.write_text("\n".join(rows))
    return file


def test_objects_keep_their_own_keys_and_answers_are_objects(objects: Path, tmp_path: Path) -> None:
    out = lines(write(objects, tmp_path / "out.jsonl", OBJECTS))
    assert [list(row)[:-4] for row in out] == [
        ["n", "text", "mixed", "deep", "yes", "x"],
        ["text", "mixed", "n", "big"],
    ]
    assert out[0]["text"] == "half \ud800" and out[0]["x"] is None and out[0]["deep"] == {"a": [1]}
    added = [{name: row[name] for name in ("answer", "confidence", "confidences", "reasons")} for row in out]
    assert added == [
        {
            "answer": {"amount": 3},
            "confidence": 0.5,
            "confidences": {"amount": 0.5},
            "reasons": {"who": "missing"},
        },
        {"answer": None, "confidence": None, "confidences": {}, "reasons": {}},
    ]


def test_objects_become_columns(objects: Path, tmp_path: Path) -> None:
    table = pq.read_table(write(objects, tmp_path / "out.parquet", OBJECTS))
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        **{"n": "double", "text": "string", "mixed": "string", "deep": "string", "yes": "bool", "x": "double"},
        **{"big": "string", "answer": "string", "confidence": "double", "confidences": "string", "reasons": "string"},
    }
    first, second = table.to_pylist()
    assert (first["text"], first["mixed"], first["deep"]) == ("half ?", "1", '{"a": [1]}')
    assert first["answer"] == '{"amount":3}'
    assert (second["n"], second["yes"], second["big"]) == (2.5, None, "99999999999999999999")
    with write(objects, tmp_path / "out.csv", OBJECTS).open(encoding="utf-8", newline="") as written:
        rows = list(csv.DictReader(written, strict=True))
    assert rows[0]["text"] == "half ?" and rows[0]["yes"] == "true" and rows[1]["yes"] == ""
    assert rows[0]["reasons"] == '{"who":"missing"}'


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """Types that neither CSV nor JSON has, in row groups of one row."""
    when = datetime.datetime(2026, 11, 29, 12, 30, tzinfo=datetime.UTC)
    columns = {
        "when": pa.array([when, None], pa.timestamp("us", "UTC")),
        "kind": pa.array(["a", "a"]).dictionary_encode(),
        "text": pa.array(["a", None], pa.large_string()),
        "paid": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
        "raw": pa.array([b"\xff", None]),
        "list": pa.array([[1.0, float("nan")], None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet", row_group_size=1)
    return tmp_path / "in.parquet"


def test_parquet_keeps_its_types(typed: Path, tmp_path: Path) -> None:
    before, after = pq.read_table(typed), pq.read_table(write(typed, tmp_path / "out.parquet"))
    kept = after.drop(["answer", "confidence"])
    assert kept.schema.equals(before.schema)
    assert str(kept.to_pylist()) == str(before.to_pylist())  # NaN equals nothing
    assert after.schema.names[-2:] == ["answer", "confidence"]
    assert after["answer"].to_pylist() == ["billing", None]


def test_parquet_to_texts(typed: Path, tmp_path: Path) -> None:
    assert lines(write(typed, tmp_path / "out.jsonl"))[0] == {
        **{"when": "2026-11-29T12:30:00+00:00", "kind": "a", "text": "a", "paid": "1.50", "raw": "/w=="},
        **{"list": [1.0, None], "answer": "billing", "confidence": 0.25},
    }
    with write(typed, tmp_path / "out.csv").open(encoding="utf-8", newline="") as written:
        rows = list(csv.DictReader(written, strict=True))
    assert (rows[0]["when"], rows[0]["list"], rows[1]["list"]) == ("2026-11-29T12:30:00+00:00", "[1.0, null]", "")


def test_a_column_of_the_same_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("text,answer\na,b\n")
    with pytest.raises(UsageError, match="has a column `answer` already") as raised:
        write(file, tmp_path / "out.csv", LABELS[:1])
    assert "--prefix" in str(raised.value.hint)
    assert "new_answer" in write(file, tmp_path / "out.csv", LABELS[:1], prefix="new_").read_text()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("answers", [LABELS[:1], LABELS * 2])
def test_an_answer_too_few_or_too_many_is_no_output(
    kind: str, answers: Sequence[KeptAnswer], typed: Path, tmp_path: Path
) -> None:
    with pytest.raises((ValueError, DataError)):
        write(typed, tmp_path / f"out.{kind}", answers)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((1, 2**53 + 1), "int64"),
        ((2**53 + 1, None), "int64"),
        ((1, 2.5), "double"),
        ((2**53 + 1, 2.5), "string"),
        ((2**63, 1), "string"),
        ((True, 1), "string"),
    ],
)
def test_whole_numbers_keep_every_digit_in_parquet(tmp_path: Path, values: tuple[Any, Any], kind: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": "a", "v": value}) + "\n" for value in values), encoding="utf-8")
    table = pq.read_table(write(source, tmp_path / "out.parquet"))
    assert str(table.schema.field("v").type) == kind
    found = table["v"].to_pylist()
    read_back = [None if each is None else json.loads(each) if isinstance(each, str) else each for each in found]
    assert read_back == list(values)
