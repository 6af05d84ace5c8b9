from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tailtune.core.errors import DataError
from tailtune.services import sources
from tailtune.services.sources import RawRow, lines
from tailtune.tasks.classification.config import ClassificationData
from tailtune.tasks.classification.task import columns_of

HEAD = b"text,label\n"


def spec(**keys: Any) -> sources.Columns:
    return columns_of(ClassificationData(file="rows.csv", **keys))


def read(tmp_path: Path, name: str, content: bytes, given: sources.Columns | None = None) -> list[RawRow]:
    file = tmp_path / name
    file.write_bytes(content)
    return list(sources.read(file, given or spec(), f"data/x/{name}", hint="tailtune check x"))


def faults(tmp_path: Path, name: str, content: bytes, given: sources.Columns | None = None) -> list[str]:
    with pytest.raises(DataError) as caught:
        read(tmp_path, name, content, given)
    assert caught.value.hint == "tailtune check x"
    return [str(fault) for fault in caught.value.faults]


def parquet(tmp_path: Path, columns: dict[str, object]) -> bytes:
    file = tmp_path / "made.parquet"
    pq.write_table(pa.table(columns), file)
    return file.read_bytes()


# What can be read


def test_csv_rows_stand_at_physical_lines_past_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbftext,label,who\r\n"a, ""b""\r\nand c",one,7\r\n\r\nd,two,8\r\n'
    assert read(tmp_path, "rows.csv", content, spec(group="who")) == [
        RawRow('a, "b"\r\nand c', "one", "rows.csv:2", "7"),
        RawRow("d", "two", "rows.csv:5", "8"),
    ]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ('"text, body";label', "a;b"),
        ('"text\n(of the customer)";label', "a;b"),
        ('"text;body",label', "a,b"),
        ('\n\n"text, a|b"|label', "a|b"),
        ('text,"la;bel;x;y"', "a,b"),
        ("text,a|b", "a,b"),
        ('text;"a ""b"""', "a;b"),
    ],
)
def test_what_stands_between_columns_is_no_part_of_a_quoted_name(tmp_path: Path, header: str, row: str) -> None:
    file = tmp_path / "f.csv"
    file.write_text(f"{header}\n{row}\n", encoding="utf-8")
    names = [name for name in sources.peek(file) if name.strip()]
    assert len(names) == 2 and [list(values) for values in sources.sample(file).values()] == [["a"], ["b"]]


def test_a_line_of_white_space_is_no_row_unless_it_is_one_cell(tmp_path: Path) -> None:
    assert read(tmp_path, "f.csv", HEAD + b"a,b\n   \nc,d\n\t\n") == [
        RawRow("a", "b", "f.csv:2"),
        RawRow("c", "d", "f.csv:4"),
    ]
    file = tmp_path / "one.csv"
    file.write_bytes(b"text\na\n   \nb\n")
    assert sources.sample(file) == {"text": ["a", "   ", "b"]}


def test_a_cell_may_be_as_long_as_a_long_mail(tmp_path: Path) -> None:
    text = "x" * 1_000_000
    assert read(tmp_path, "f.csv", HEAD + f"{text},b\n".encode()) == [RawRow(text, "b", "f.csv:2")]
    assert "no column `text`" in faults(tmp_path, "g.csv", f"{text}\nb\n".encode())[0]


def test_the_mark_that_makes_the_most_names_stands_between_columns(tmp_path: Path) -> None:
    assert read(tmp_path, "f.csv", b"text;label;net, euro\na, b;c;1,5\n") == [RawRow("a, b", "c", "f.csv:2")]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_csv_of_other_countries_has_another_mark_between_columns(tmp_path: Path, mark: str) -> None:
    lines = ["", "text{}label", '"a, b{} c""d"{}one', '"e\nf"{}two', ""]
    content = b"\xef\xbb\xbf" + "\r\n".join(lines).replace("{}", mark).encode()
    assert read(tmp_path, "rows.csv", content) == [
        RawRow(f'a, b{mark} c"d', "one", "rows.csv:3"),
        RawRow("e\nf", "two", "rows.csv:4"),
    ]
    assert sources.peek(tmp_path / "rows.csv") == ("text", "label")


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "sep=;;", "sep=;\r"])
def test_a_first_line_may_say_what_stands_between_columns(tmp_path: Path, first: str) -> None:
    content = f"{first}\ntext;label, or none, or more\na, b;one\n".encode()
    (tmp_path / "a.csv").write_bytes(content)
    assert sources.peek(tmp_path / "a.csv") == ("text", "label, or none, or more")
    whole = b"\xef\xbb\xbf" + content.replace(b", or none, or more", b"")
    assert read(tmp_path, "rows.csv", whole) == [RawRow("a, b", "one", "rows.csv:3")]


def test_a_header_with_a_comma_is_cut_at_commas(tmp_path: Path) -> None:
    content = b'"text; more",label;x\na,b\n'
    (tmp_path / "a.csv").write_bytes(content)
    assert sources.peek(tmp_path / "a.csv") == ("text; more", "label;x")


def test_a_broken_quote_between_semicolons(tmp_path: Path) -> None:
    (text,) = faults(tmp_path, "a.csv", b'text;label\n"a"b;c\n')
    assert "a.csv:2  the quoted field that opens here is closed on line 2 by a quote that no semicolon follows" in text


def test_one_encoding_is_proposed_once_and_not_for_a_file_that_is_mostly_utf_8(tmp_path: Path) -> None:
    first, second = faults(tmp_path, "a.csv", HEAD + b"caf\xe9,b\nna\xefve,b\n")
    assert "iconv" in first
    assert "iconv" not in second
    (text,) = faults(tmp_path, "b.csv", HEAD + "café,b\n".encode() + b"caf\xe9,b\n")
    assert "iconv" not in text
    (text,) = faults(tmp_path, "c.csv", HEAD + b"caf\x81,b\n")  # no character of Windows-1252
    assert "iconv" not in text


def test_a_file_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_bytes(HEAD)
    with pytest.raises(DataError, match=r"no such file; did you mean .*tickets\.csv\?"):
        sources.peek(tmp_path / "tickts.csv")


def test_jsonl_skips_blank_lines_and_takes_numbers_and_truth_values_as_labels(tmp_path: Path) -> None:
    content = b'{"text": "a", "label": 3}\n\n{"text": null, "label": true, "more": []}\n'
    assert read(tmp_path, "rows.jsonl", content) == [
        RawRow("a", "3", "rows.jsonl:1"),
        RawRow("", "True", "rows.jsonl:3"),
    ]


def test_parquet_rows_are_counted_from_one_over_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.parquet, "_BATCH_ROWS", 2)
    content = parquet(tmp_path, {"label": [1, 2, 3], "text": ["a", None, "c"], "who": [1.5, None, 2.0]})
    assert read(tmp_path, "rows.parquet", content, spec(group="who")) == [
        RawRow("a", "1", "rows.parquet:row 1", "1.5"),
        RawRow("", "2", "rows.parquet:row 2", None),
        RawRow("c", "3", "rows.parquet:row 3", "2"),
    ]


def test_nan_is_no_group_and_no_slice(tmp_path: Path) -> None:
    without = b'{"text": "a", "label": 1, "who": NaN, "size": NaN}\n'
    content = without + b'{"text": "b", "label": 2, "who": 1.0, "size": 2.0}\n'
    found = read(tmp_path, "rows.jsonl", content, spec(group="who", slices=("size",)))
    assert [(row.group, row.slices) for row in found] == [(None, (("size", ""),)), ("1", (("size", "2.0"),))]


@pytest.mark.parametrize(
    ("values", "group"),
    [
        (["c 1", " c 1", "c 1 ", "c\u00a0 1", "c\t1"], "c 1"),
        (["Mu\u0308ller", "M\u00fcller "], "Müller"),
        ([7, 7.0, "7", " 7"], "7"),
        (["", "  ", None, "\u3000"], None),
        (["C 1"], "C 1"),
        ([1.5], "1.5"),
        ([1e300], str(int(1e300))),
    ],
)
def test_a_customer_is_one_group_however_a_file_spells_it(tmp_path: Path, values: list[Any], group: str | None) -> None:
    lines = [json.dumps({"text": "a", "label": "b", "who": value}) for value in values]
    rows = read(tmp_path, "f.jsonl", "\n".join(lines).encode(), spec(group="who"))
    assert {row.group for row in rows} == {group} and len(rows) == len(values)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (float("nan"), ""),
        (0, "0"),
        (False, "False"),
        (7.0, "7"),
        (7.5, "7.5"),
        (" a ", "a"),
        ({"ü": [1, None]}, '{"ü": [1, null]}'),
        ([], "[]"),
    ],
)
def test_a_cell_is_what_a_person_put_into_it(value: Any, written: str) -> None:
    assert sources.as_written(value) == written


def test_dictionary_encoded_parquet_is_read_as_its_values(tmp_path: Path) -> None:
    content = parquet(tmp_path, {"text": ["a", "b"], "label": pa.array(["x", "x"]).dictionary_encode()})
    assert [row.label for row in read(tmp_path, "rows.parquet", content)] == ["x", "x"]


def test_labels_lose_surrounding_space_and_texts_do_not(tmp_path: Path) -> None:
    assert read(tmp_path, "rows.csv", HEAD + b" a , one \n") == [RawRow(" a ", "one", "rows.csv:2")]


def test_half_a_surrogate_pair_in_a_text_is_a_row_for_curation_to_mend(tmp_path: Path) -> None:
    assert read(tmp_path, "rows.jsonl", rb'{"text": "cut \ud83d", "label": "a"}')[0].text == "cut \ud83d"


def test_origins_bear_the_name_the_spec_has_for_the_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(HEAD + b"a,b\n")
    rows = sources.read(tmp_path / "rows.csv", spec(), "data/x/2026/rows.csv", name="2026/rows.csv")
    assert [row.origin for row in rows] == ["2026/rows.csv:2"]


def test_the_reader_streams(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"text": "a", "label": "b"}\n' * 3 + b"broken\n")
    rows = sources.read(file, spec(), "rows.jsonl")
    assert next(rows).origin == "rows.jsonl:1"


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"\xef\xbb\xbfid,text,label\n"), ("a.jsonl", b'{"id": 1, "text": "t"}\n{"text": "t", "label": 2}\n')],
)
def test_peek_names_the_columns(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert sources.peek(tmp_path / name) == ("id", "text", "label")


def test_peek_names_the_columns_of_parquet(tmp_path: Path) -> None:
    parquet(tmp_path, {"text": ["a"], "label": ["b"]})
    assert sources.peek(tmp_path / "made.parquet") == ("text", "label")


def test_peek_at_a_broken_file_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"[1]\n")
    with pytest.raises(DataError, match="JSON array"):
        sources.peek(tmp_path / "a.jsonl")


def test_labels_are_counted_most_frequent_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(HEAD + b"1,b\n2,c\n3,c\n4,a\n")
    assert list(sources.labels_in(tmp_path / "a.csv", spec()).items()) == [("c", 2), ("a", 1), ("b", 1)]


# What cannot


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "data/x/a.csv  empty file; expected labelled rows"),
        ("a.csv", HEAD, "data/x/a.csv:1  no rows; expected rows below the header"),
        ("a.csv", b"\n\n", "data/x/a.csv:1  no rows; expected rows below the header"),
        ("a.jsonl", b"\n", "data/x/a.jsonl:1  no rows; expected one JSON object per line"),
        ("a.tsv", b"x", "data/x/a.tsv  unknown kind of file; expected .csv, .jsonl, .parquet: rename it to .csv"),
        ("a.pdf", b"x", "data/x/a.pdf  unknown kind of file; expected .csv, .jsonl, .parquet"),
        (
            "a.JSON",
            b"[]",
            "data/x/a.JSON  unknown kind of file; expected .csv, .jsonl, .parquet: "
            "convert a list of objects with  jq -c '.[]' FILE.json > FILE.jsonl",
        ),
        (
            "a.csv",
            b"txt,label\na,b\n",
            "data/x/a.csv:1  no column `text`; the file has txt, label; did you mean txt?",
        ),
        ("a.csv", b"text;label\na,b\n", "data/x/a.csv:2  1 field; expected 2, as in the header"),
        ("a.csv", b"text,label,text\n", "data/x/a.csv:1  column `text` stands 2 times; expected once"),
        ("a.csv", HEAD + b"a,b\na,b,c\n", "data/x/a.csv:3  3 fields; expected 2, as in the header"),
        ("a.csv", HEAD + b"a,\n", "data/x/a.csv:2  `label` is empty; expected a label on every row"),
        (
            "a.csv",
            HEAD + b'"fine\n\nso",x\na,b\n"c\nd,e\nf,g\n',
            'data/x/a.csv:6  the quote that opens here is never closed; expected "" for a quote inside a field. '
            "The rest of the file was not read",
        ),
        (
            "a.csv",
            HEAD + b'a,b\n"he said\n"no" twice",b\nc,d\n',
            "data/x/a.csv:3  the quoted field that opens here is closed on line 4 by a quote that no comma follows; "
            'expected "" for a quote inside a field. The rest of the file was not read',
        ),
        (
            "a.csv",
            HEAD + b'"two\nlines","opens\n' + b"x" * 1_100_000,
            "data/x/a.csv:3  a field of more than 1,048,576 characters begins here; expected a shorter one, or a "
            "closing quote. The rest of the file was not read",
        ),
        (
            "a.csv",
            b"text,label\ra,b\rc,d\r",
            "data/x/a.csv:1  a carriage return inside a line; expected lines that end with LF or CRLF. "
            "The rest of the file was not read",
        ),
        (
            "a.csv",
            HEAD + "a,b\ncafé,b\n".encode("latin-1"),
            "data/x/a.csv:3  byte 0xe9 at position 4 is not UTF-8; expected UTF-8 text: if the file is Windows-1252, "
            "as Excel saves it, convert with  iconv -f WINDOWS-1252 -t UTF-8",
        ),
        (
            "a.csv",
            (HEAD + b"a,b\n").decode().encode("utf-16"),
            "data/x/a.csv:1  UTF-16; expected UTF-8: convert with  iconv -f UTF-16 -t UTF-8",
        ),
        (
            "a.jsonl",
            b'{"text": "a", "label": "b"}\n{"text": "a", \n',
            "data/x/a.jsonl:2  not JSON: Expecting property name enclosed in double quotes at character 16; "
            "expected one JSON object per line",
        ),
        ("a.jsonl", b'"text"\n', "data/x/a.jsonl:1  a JSON string; expected one JSON object per line"),
        (
            "a.jsonl",
            b'[{"text": "a", "label": "b"}]\n',
            "data/x/a.jsonl:1  a JSON array; expected one JSON object per line: convert with  jq -c '.[]'",
        ),
        (
            "a.jsonl",
            b'{"text": "a", "Label": "b"}\n',
            "data/x/a.jsonl:1  no column `label`; this object has text, Label; did you mean Label?",
        ),
        ("a.jsonl", b'{"text": 5, "label": "b"}\n', "data/x/a.jsonl:1  `text` is int 5; expected a string"),
        (
            "a.jsonl",
            b'{"text": "a", "label": 1.5}\n',
            "data/x/a.jsonl:1  `label` is float 1.5; expected a label: a string, or a whole number",
        ),
        (
            "a.jsonl",
            b'{"text": "a", "label": null}\n',
            "data/x/a.jsonl:1  `label` is null; expected a label on every row",
        ),
        (
            "a.jsonl",
            rb'{"text": "a", "label": "\ud83d"}',
            "data/x/a.jsonl:1  `label` holds half a surrogate pair; expected a label in valid Unicode",
        ),
        ("a.jsonl", b'{"text": "\xff", "label": "b"}\n', "data/x/a.jsonl:1  byte 0xff at position 11 is not UTF-8; "
            "expected UTF-8 text: if the file is Windows-1252, as Excel saves it, convert with  iconv -f WINDOWS-1252 "
            "-t UTF-8"),
    ],
)  # fmt: skip
def test_bad_input_is_told_with_place_and_expectation(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    assert faults(tmp_path, name, content) == [expected]


def test_a_list_as_group_is_a_fault(tmp_path: Path) -> None:
    content = b'{"text": "a", "label": "b", "who": [1]}\n'
    text = faults(tmp_path, "a.jsonl", content, spec(group="who"))
    assert text == ["data/x/a.jsonl:1  `who` is list [1]; expected one value to group rows by"]


def test_nested_beyond_reading_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    (text,) = faults(tmp_path, "a.jsonl", b"[" * 200_000 + b"\n")
    assert text.startswith("data/x/a.jsonl:1  a JSON array")
    (text,) = faults(tmp_path, "a.jsonl", b'{"text": ' + b"[" * 200_000 + b"\n")
    assert text.startswith("data/x/a.jsonl:1  JSON that cannot be read: ")


def test_a_line_without_end_is_a_fault_and_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 64)
    (text,) = faults(tmp_path, "a.jsonl", b'{"text": "' + b"x" * 100)
    assert text == "data/x/a.jsonl:1  longer than 16 MiB; expected one row per line. The rest was not read"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data/x/none\.csv  no such file") as caught:
        sources.read(tmp_path / "none.csv", spec(), "data/x/none.csv")
    assert caught.value.hint == "run the command again with a file that is there"


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (text,) = faults(tmp_path, "a.parquet", b"PAR1 not really")
    assert text.startswith("data/x/a.parquet  unreadable Parquet: ")
    assert text.endswith("; expected a whole .parquet file")


def test_a_torn_parquet_page_is_told_with_its_row(tmp_path: Path) -> None:
    content = bytearray(parquet(tmp_path, {"text": [f"text number {i}" for i in range(5000)], "label": ["a"] * 5000}))
    content[4:4000] = bytes(3996)
    (text,) = faults(tmp_path, "a.parquet", bytes(content))
    assert text.startswith("data/x/a.parquet:row 1  unreadable Parquet from here on: ")


def test_parquet_without_the_column_or_without_rows_is_told(tmp_path: Path) -> None:
    content = parquet(tmp_path, {"texts": ["a"], "label": ["b"]})
    expected = "data/x/a.parquet  no column `text`; the file has texts, label; did you mean texts?"
    assert faults(tmp_path, "a.parquet", content) == [expected]
    content = parquet(tmp_path, {"text": pa.array([], pa.string()), "label": pa.array([], pa.string())})
    assert faults(tmp_path, "a.parquet", content) == ["data/x/a.parquet:row 1  no rows; expected at least one row"]


def test_twenty_faults_are_told_at_once_and_the_rest_counted(tmp_path: Path) -> None:
    objects = [json.dumps({"text": "a", "label": "b"}), *["broken"] * 33, json.dumps({"text": "a", "label": None})]
    text = faults(tmp_path, "a.jsonl", "\n".join(objects).encode())
    assert len(text) == 21
    assert text[19].startswith("data/x/a.jsonl:21  not JSON")
    assert text[20] == "data/x/a.jsonl  and 14 more faults like these"


def test_no_row_follows_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(HEAD + b"a,b\nc\nd,e\n")
    seen = []
    with pytest.raises(DataError):
        seen += [row.text for row in sources.read(file, spec(), "a.csv")]
    rows = sources.read(file, spec(), "a.csv")
    assert next(rows).text == "a"
    with pytest.raises(DataError):
        next(rows)
