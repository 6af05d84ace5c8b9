"""Rows are read as they stand; what cannot be read is listed with its place, and a hopeless file is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tailtune.core.errors import DataError, TailTuneError
from tailtune.serving.batch.source import BLOCK_CHARS, BLOCK_ROWS, Source, SourceRow, Survey, blocks


def surveyed(source: Source) -> tuple[Survey, list[dict[str, str]]]:
    out = io.StringIO()
    *_, survey = source.survey(source.faults(out))
    return survey, [json.loads(line) for line in out.getvalue().splitlines()]


def test_csv_with_a_byte_order_mark_quotes_and_line_ends_in_a_field(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b'\xef\xbb\xbftext,id\r\n"a ""quoted"" word,\r\nnext line",1\r\n\r\n,2\r\n')
    source = Source(file, "text")
    assert [row.values for row in source.rows()] == [
        {"text": 'a "quoted" word,\r\nnext line', "id": "1"},
        {"text": "", "id": "2"},
    ]
    assert surveyed(source)[0].rows == 2


def test_csv_rows_that_cannot_be_read_are_listed_once_each(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b'text,id\nfirst,1\nonly one\n"two \xff\nbad \xfe lines",3\nlast,4\n')
    source = Source(file, "text")
    survey, dropped = surveyed(source)
    assert (survey.rows, survey.unreadable) == (2, 2)
    assert [row.text for row in source.rows()] == ["first", "last"]
    assert [line["origin"] for line in dropped] == [f"{file}:3", f"{file}:4"]
    assert "1 field; expected 2" in dropped[0]["reason"]
    assert "0xff" in dropped[1]["reason"]


def test_jsonl_rows_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    lines = ['{"text": "a", "n": 1}', '{"n": 2}', '{"text": 3}', "{", '{"text": null, "n": 1.5, "more": [1]}']
    file.write_text("\n".join(lines))
    source = Source(file, "text")
    survey, dropped = surveyed(source)
    assert [row.text for row in source.rows()] == ["a", ""]
    assert (survey.rows, survey.unreadable) == (2, 3)
    assert [line["origin"].rpartition(":")[2] for line in dropped] == ["2", "3", "4"]
    assert "no column `text`; the row has n" in dropped[0]["reason"]
    assert "`text` is int 3; expected a string" in dropped[1]["reason"]
    assert survey.columns == {"text": {"str"}, "n": {"int", "float"}, "more": {"list"}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.txt", "", "unknown kind of file; expected .csv, .jsonl, .parquet"),
        ("in.csv", None, "no such file"),
        ("in.csv", "", "empty file"),
        ("in.csv", "txt,id\n1,2\n", "no column `text`; the file has txt, id; did you mean txt"),
        ("in.csv", "text,id,id\n1,2,3\n", "column `id` stands several times"),
        ("in.csv", 'text,id\na,1\n"b,2\n', ":3  the quote that opens here is never closed"),
        ("in.csv", "text,id\nonly one\n", ":2  1 field; expected 2"),
        ("in.jsonl", '[{"text": "a"}]', "a JSON array"),
        ("in.jsonl", '{"text": 1}\n{"text": 2}\n', "expected a string"),
        ("in.parquet", "PAR1 and no more", "unreadable Parquet"),
    ],
)
def test_a_file_that_nothing_can_be_made_of_is_refused(
    name: str, content: str | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    with pytest.raises(TailTuneError) as raised:
        surveyed(Source(file, "text"))
    assert message in raised.value.message and raised.value.hint


def test_a_parquet_column_of_other_values_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [1, None]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match="row 1  `text` is int 1; expected a string"):
        surveyed(Source(tmp_path / "in.parquet", "text"))


def test_long_jsonl_is_read_without_being_kept(tmp_path: Path) -> None:
    from tailtune.services.sources.faults import Faults
    from tailtune.services.sources.jsonl import objects
    from tailtune.services.sources.lines import Lines

    file, seen = tmp_path / "in.jsonl", list[Lines]()
    file.write_text('{"text": "a"}\n' * 100)

    class Watched(Lines):
        def __init__(self, file: Path, faults: Faults) -> None:
            super().__init__(file, faults)
            seen.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tailtune.services.sources.jsonl.Lines", Watched)
        assert len(list(objects(file, Faults("", "", "")))) == 100
    assert len(seen[0].since_mark) <= 1


def test_blocks_are_bounded_in_rows_and_in_characters() -> None:
    short = [SourceRow("a", {})] * (BLOCK_ROWS + 1)
    assert [len(block) for block in blocks(iter(short))] == [BLOCK_ROWS, 1]
    long = [SourceRow("a" * BLOCK_CHARS, {})] * 2
    assert [len(block) for block in blocks(iter(long))] == [1, 1]
    assert not list(blocks(iter(())))
